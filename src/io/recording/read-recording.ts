import { createReadStream } from 'node:fs';
import parquet from 'parquetjs-lite';
import { decodeEvent, MAX_EVENT_BYTES, type Subject } from '../../consensus/events.ts';
import { csvFields, csvRecords } from './csv.ts';
import { linesOf, type NumberedLine } from './lines.ts';
import { eventFromRow, eventFromTexts, subjectOf } from './wire-events.ts';

/** Recorded events, read from files one at a time: a recording may be larger than memory. */

export interface RecordedEvent {
  readonly subject: Subject;
  readonly payload: Uint8Array;
}

/** A piece of a recording that is not an event; reading goes on behind it. */
export interface BrokenRecord {
  /** Line in the file, or row in a Parquet file, from 1. */
  readonly line: number;
  readonly reason: string;
}

export interface RecordingOptions {
  /** Told about each broken record. */
  readonly onBroken: (broken: BrokenRecord) => void;
  /** What `-` stands for. */
  readonly stdin?: AsyncIterable<Uint8Array>;
}

/** The file is of a kind that holds no events. */
export class RecordingError extends Error {
  override readonly name = 'RecordingError';
}

export const RECORDING_FORMATS = ['.csv', '.ndjson', '.log', '.parquet', '-'] as const;

/**
 * The events of a file: `.csv` with the columns of the published sample or of our tables, `.ndjson` and `.log` with one
 * event a line, `.parquet` as written by us, `-` for JSON lines or CSV from standard input. Events of JSON lines keep their bytes.
 *
 * Rejects with a RecordingError for any other name and for a CSV file or Parquet file that is none, and with the file system's error when the file cannot be read.
 */
export async function* readRecording(path: string, options: RecordingOptions): AsyncGenerator<RecordedEvent> {
  for await (const { line, event } of recordsOf(path, options)) {
    const recorded = typeof event === 'string' ? { reason: event } : checked(event);
    if ('reason' in recorded) options.onBroken({ line, reason: recorded.reason });
    else yield recorded;
  }
}

/** A possible event and where it stands; a text says why there is none. */
interface NumberedRecord {
  readonly line: number;
  readonly event: RecordedEvent | string;
}

function recordsOf(path: string, { stdin = process.stdin }: RecordingOptions): AsyncIterable<NumberedRecord> {
  const lines = (chunks: AsyncIterable<Uint8Array>) => linesOf(chunks, MAX_EVENT_BYTES);
  if (path === '-') return fromEither(lines(stdin));
  if (path.endsWith('.ndjson') || path.endsWith('.log')) return fromJsonLines(lines(createReadStream(path)));
  if (path.endsWith('.csv')) return fromCsv(lines(createReadStream(path)));
  if (path.endsWith('.parquet')) return fromParquet(path);
  throw new RecordingError(`${path} is no recording; allowed are ${RECORDING_FORMATS.join(' ')}`);
}

/** Standard input has no name that says what it is; the first line of CSV does, its header. */
async function* fromEither(lines: AsyncGenerator<NumberedLine>): AsyncGenerator<NumberedRecord> {
  const first = await lines.next();
  if (first.done) return;
  const all = withFirst(first.value, lines);
  yield* lacking(csvFields(first.value.text ?? '') ?? []).length === 0 ? fromCsv(all) : fromJsonLines(all);
}

async function* withFirst(first: NumberedLine, others: AsyncIterable<NumberedLine>): AsyncGenerator<NumberedLine> {
  yield first;
  yield* others;
}

async function* fromJsonLines(lines: AsyncIterable<NumberedLine>): AsyncGenerator<NumberedRecord> {
  for await (const { line, text } of lines) {
    if (text === null) yield { line, event: `longer than ${MAX_EVENT_BYTES} characters` };
    else if (text.trim() !== '') yield { line, event: parsed(() => JSON.parse(text) as unknown, text.trim()) };
  }
}

async function* fromCsv(lines: AsyncIterable<NumberedLine>): AsyncGenerator<NumberedRecord> {
  for await (const { line, fields } of csvRecords(lines, checkHeader)) {
    yield { line, event: typeof fields === 'string' ? fields : parsed(() => eventFromTexts(fields)) };
  }
}

/** Columns that every event has. */
const COLUMNS = ['id', 'timestamp'];

function lacking(header: readonly string[]): readonly string[] {
  return COLUMNS.filter((name) => !header.includes(name));
}

function checkHeader(header: readonly string[]): void {
  const missing = lacking(header);
  if (missing.length === 0) return;
  throw new RecordingError(
    `its first line has to name the columns of events, and names no ${missing.join(' and no ')}`,
  );
}

async function* fromParquet(path: string): AsyncGenerator<NumberedRecord> {
  const reader = await parquet.ParquetReader.openFile(path).catch((error: unknown) => {
    // The package rejects with texts, or with an error that says nothing of the file; those of the file system have a code.
    if (error instanceof Error && 'code' in error) throw error;
    throw new RecordingError(`${path} is no Parquet file (${error instanceof Error ? error.message : String(error)})`);
  });
  try {
    const cursor = reader.getCursor();
    let line = 0;
    for (let row = await cursor.next(); row !== null; row = await cursor.next()) {
      line++;
      const values = row;
      yield { line, event: parsed(() => eventFromRow(values)) };
    }
  } finally {
    await reader.close();
  }
}

/** The event that `read` gives, as bytes; `text` when its bytes are known. */
function parsed(read: () => unknown, text?: string): RecordedEvent | string {
  let event: unknown;
  try {
    event = read();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  if (typeof event !== 'object' || event === null) return 'not an object';
  return { subject: subjectOf(event), payload: new TextEncoder().encode(text ?? JSON.stringify(event)) };
}

function checked(event: RecordedEvent): RecordedEvent | { readonly reason: string } {
  const decoded = decodeEvent(event.subject, event.payload);
  return decoded.ok ? event : { reason: decoded.reason };
}
