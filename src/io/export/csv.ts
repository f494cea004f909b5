import type { ViewColumn } from '../storage/tracker/view-columns.ts';
import type { ValidatorRecord } from '../storage/tracker/view-reader.ts';

/** RFC 4180: lines end in CR LF, fields with commas, quotes or line ends are quoted. */
const LINE_END = '\r\n';
const NEEDS_QUOTES = /[",\r\n]/;

/**
 * What a spreadsheet takes for the beginning of a formula, in narrow and wide letters, and the apostrophe itself, so that who takes one
 * apostrophe off the front of such a field gets the text as it was.
 */
const FORMULA = /^[=+\-@＝＋－＠\t\r\n']/;

/**
 * One line a record, below a header. What is unknown is empty, an empty text is `""`, lists are JSON. Texts come from strangers (a node
 * calls itself what it likes), so one that a spreadsheet would run as a formula gets an apostrophe in front; the other formats leave
 * texts as they are.
 */
export async function* csvChunks(
  pages: AsyncIterable<readonly ValidatorRecord[]>,
  columns: readonly ViewColumn[],
): AsyncGenerator<string> {
  yield columns.map(({ name }) => name).join(',') + LINE_END;
  for await (const page of pages) {
    yield page.map((record) => columns.map(({ name }) => field(record[name])).join(',') + LINE_END).join('');
  }
}

function field(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  const text = typeof value === 'string' ? value.replace(FORMULA, "'$&") : JSON.stringify(value);
  return text === '' || NEEDS_QUOTES.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
