import { access, constants, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { csvChunks } from '../io/export/csv.ts';
import { writeWhole } from '../io/export/file.ts';
import { type ExportFormat, formatOfName } from '../io/export/formats.ts';
import { geoJsonChunks, jsonChunks, ndjsonChunks } from '../io/export/json.ts';
import { parquetChunks } from '../io/export/parquet.ts';
import { writeAll } from '../io/export/stream.ts';
import { pseudonymFrom } from '../io/http/pseudonym.ts';
import { PUBLIC_RECORD_COLUMNS } from '../io/http/public-view.ts';
import { keyedPages, publicPages } from '../io/http/validators.ts';
import { count } from '../io/logging/texts.ts';
import { openSqlite } from '../io/storage/sqlite/sqlite.ts';
import { TRACKER_FILE } from '../io/storage/tracker/schema.ts';
import { type ViewColumn, viewColumns } from '../io/storage/tracker/view-columns.ts';
import { type ValidatorRecord, viewReader } from '../io/storage/tracker/view-reader.ts';
import type { Options } from './options.ts';
import { listenForSignals } from './stopping.ts';
import { UsageError } from './usage-error.ts';

type Pages = AsyncIterable<readonly ValidatorRecord[]>;

const CHUNKS: Readonly<
  Record<ExportFormat, (pages: Pages, columns: readonly ViewColumn[]) => AsyncIterable<string | Uint8Array>>
> = {
  csv: csvChunks,
  json: jsonChunks,
  ndjson: ndjsonChunks,
  geojson: geoJsonChunks,
  parquet: parquetChunks,
};

const EVER = { fromMs: 0, toMs: Number.MAX_SAFE_INTEGER };

/**
 * `export`: the validator view, as it is while a consumer writes it. Peers are read page by page, each as it is at that moment.
 * A signal ends it and leaves a file that was there before as it was.
 */
export async function exportView(options: Pick<Options, 'dataDir' | 'format' | 'out' | 'public'>): Promise<number> {
  const out = options.out === '-' ? undefined : options.out;
  const format = options.format ?? formatOfName(out ?? '') ?? 'csv';
  if (format === 'parquet' && out === undefined && process.stdout.isTTY) {
    throw new UsageError('--format parquet is not for a terminal; name a file with --out, or pipe it on');
  }
  const signals = listenForSignals();
  const stop = new AbortController();
  const stopping = signals.first.then(() => stop.abort());
  await using stack = new AsyncDisposableStack();
  stack.defer(() => signals.release());
  const { pages, columns } = await openView(options, stack);
  const tally = { peers: 0 };
  const chunks = CHUNKS[format](counted(pages, tally, stop.signal), columns);
  try {
    if (out === undefined) {
      await writeAll(process.stdout, chunks, stop.signal);
    } else {
      await writeWhole(out, chunks);
      process.stdout.write(`${count(tally.peers)} peers were written to ${out}.\n`);
    }
  } catch (error) {
    if (!stop.signal.aborted) throw writeError(error, out);
    await stopping;
    process.stderr.write(
      `valtrack: stopped after ${count(tally.peers)} peers${out === undefined ? '' : '; nothing was written'}\n`,
    );
  }
  return 0;
}

/** @throws Error with the remedy when nothing has been stored in the folder */
async function openView(
  { dataDir, public: isPublic }: Pick<Options, 'dataDir' | 'public'>,
  stack: AsyncDisposableStack,
): Promise<{ pages: Pages; columns: readonly ViewColumn[] }> {
  const folder = resolve(dataDir);
  const nothing = `there is no validator view in ${folder}; "valtrack run" or "valtrack consumer" makes one, --data-dir says where`;
  const path = join(folder, TRACKER_FILE);
  const isThere = await stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
  if (!isThere) throw new Error(nothing);
  const immutable = await isLeftAlone(folder);
  const database = await openSqlite(path, { readOnly: true, immutable });
  stack.defer(() => database.close());
  const columns = await viewColumns(database);
  if (columns.length === 0) throw new Error(nothing);
  const view = viewReader(database);
  if (!isPublic) return { pages: keyedPages(view, EVER), columns };
  return {
    pages: publicPages(view, EVER, await pseudonymFrom(folder)),
    columns: PUBLIC_RECORD_COLUMNS.flatMap((name) => columns.find((column) => column.name === name) ?? []),
  };
}

/** A folder that we may not write has to be read without locks; without a log beside it no consumer is at work. */
async function isLeftAlone(folder: string): Promise<boolean> {
  const isAllowed = (path: string, mode: number) =>
    access(path, mode).then(
      () => true,
      () => false,
    );
  return (
    !(await isAllowed(folder, constants.W_OK)) &&
    !(await isAllowed(join(folder, `${TRACKER_FILE}-wal`), constants.F_OK))
  );
}

async function* counted(
  pages: Pages,
  tally: { peers: number },
  signal: AbortSignal,
): AsyncGenerator<readonly ValidatorRecord[]> {
  for await (const page of pages) {
    signal.throwIfAborted();
    yield page;
    tally.peers += page.length;
  }
}

function writeError(error: unknown, out: string | undefined): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code === undefined || out === undefined) return error;
  return new Error(`${out} cannot be written (${code}); choose another with --out`, { cause: error });
}
