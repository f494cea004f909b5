/** How rows look on a terminal. */

const LABEL_WIDTH = 12;
const INDENT = '  ';

/** A label and what belongs to it, with commas; what does not fit `columns` goes on below, part by part, indented alike. */
export function labelled(label: string, parts: readonly string[], columns: number): string[] {
  const lines: string[] = [];
  let line = INDENT + label.padEnd(LABEL_WIDTH);
  const start = line.length;
  for (const [index, part] of parts.entries()) {
    const piece = index === parts.length - 1 ? part : `${part},`;
    const isFirst = line.length === start;
    if (isFirst || line.length + 1 + piece.length <= columns) {
      line += isFirst ? piece : ` ${piece}`;
    } else {
      lines.push(line);
      line = ' '.repeat(start) + piece;
    }
  }
  return [...lines, line];
}

/** Columns aligned, the first to the left and the others, which are figures, to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((cells) => cells[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) =>
    INDENT +
    widths
      .map((width, column) => (column === 0 ? (cells[0] ?? '').padEnd(width) : (cells[column] ?? '').padStart(width)))
      .join('  ');
  return [line(head), ...rows.map(line)];
}
