/** One line of a text, numbered from 1; `text` is `null` when it was longer than allowed and has been skipped. */
export interface NumberedLine {
  readonly line: number;
  readonly text: string | null;
}

/** Splits UTF-8 into lines, holding at most one of them: however long a line is, memory stays bounded. */
export async function* linesOf(chunks: AsyncIterable<Uint8Array>, maxLength: number): AsyncGenerator<NumberedLine> {
  const decoder = new TextDecoder();
  let line = 1;
  let text = '';
  let isTooLong = false;
  const finish = (): NumberedLine => {
    const finished = { line, text: isTooLong ? null : text.replace(/\r$/, '') };
    line++;
    text = '';
    isTooLong = false;
    return finished;
  };
  const take = (piece: string) => {
    isTooLong ||= text.length + piece.length > maxLength;
    text = isTooLong ? '' : text + piece;
  };
  for await (const chunk of chunks) {
    const pieces = decoder.decode(chunk, { stream: true }).split('\n');
    const rest = pieces.pop() as string;
    for (const piece of pieces) {
      take(piece);
      yield finish();
    }
    take(rest);
  }
  take(decoder.decode());
  if (text !== '' || isTooLong) yield finish();
}
