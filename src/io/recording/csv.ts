import type { NumberedLine } from './lines.ts';

/** One record of a CSV file: its fields by column name, or the reason why it cannot be read. */
export interface CsvRecord {
  readonly line: number;
  readonly fields: Readonly<Record<string, string>> | string;
}

/**
 * Reads CSV with a header and one record a line; fields in quotes may hold commas and doubled quotes. Line breaks inside
 * quotes, which RFC 4180 allows and events never have, are refused, so that one stray quote breaks one record only.
 * What `checkHeader` throws ends the reading.
 */
export async function* csvRecords(
  lines: AsyncIterable<NumberedLine>,
  checkHeader: (header: readonly string[]) => void,
): AsyncGenerator<CsvRecord> {
  let header: string[] | undefined;
  for await (const { line, text } of lines) {
    if (text === '') continue;
    if (text === null) {
      yield { line, fields: 'too long' };
      continue;
    }
    const values = csvFields(text);
    if (values === null) yield { line, fields: 'quotes that do not match' };
    else if (header === undefined) {
      checkHeader(values);
      header = values;
    } else if (values.length !== header.length) {
      yield { line, fields: `${values.length} fields where the header has ${header.length}` };
    } else yield { line, fields: Object.fromEntries(header.map((name, index) => [name, values[index] as string])) };
  }
}

const FIELD = /(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/y;

/** The fields of a record; `null` when its quotes are not where they may be. */
export function csvFields(record: string): string[] | null {
  const values: string[] = [];
  FIELD.lastIndex = 0;
  while (true) {
    const match = FIELD.exec(record);
    if (match === null) return null;
    values.push(match[1]?.replaceAll('""', '"') ?? (match[2] as string));
    if (match[3] === '') return values;
  }
}
