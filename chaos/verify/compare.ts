import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { ask } from '../support/consumer.ts';
import type { ChaosEvent } from '../support/events.ts';
import type { Ledger } from '../support/ledger.ts';
import { expectedPeers, expectedRow, type Row, shortLived } from './expected.ts';
import { type StoredFiles, storedFiles } from './stored-files.ts';

/** Ledger, SQLite and Parquet, compared row for row once everything is drained and the consumer has ended. */
export interface Verdict {
  readonly figures: {
    readonly events: number;
    readonly 'in doubt': number;
    readonly stored: number;
    readonly lost: number;
    readonly repeated: number;
    readonly wrong: number;
    readonly files: number;
    readonly 'broken files': number;
  };
  /** The first of each kind in words; empty when all agrees. */
  readonly problems: readonly string[];
}

const EXAMPLES = 5;

/** @param deadLetters how many are expected */
export async function compare(dataDir: string, ledger: Ledger, deadLetters = 0): Promise<Verdict> {
  const problems: string[] = [];
  const note = (kind: string, found: readonly string[]) => {
    if (found.length > 0) problems.push(`${kind} ${found.length}: ${found.slice(0, EXAMPLES).join('; ')}`);
    return found.length;
  };

  const files = await storedFiles(dataDir);
  const broken = note('broken files', files.broken);
  if (broken > 0) return { figures: { ...NOTHING, files: files.files, 'broken files': broken }, problems };

  const { stored, lost, repeated, wrong } = await compareRows(files, ledger);
  const view = compareView(dataDir, stored, deadLetters);
  const figures = {
    events: ledger.committed.size,
    'in doubt': ledger.sent.size - ledger.committed.size,
    stored: stored.size,
    lost: note('lost', lost),
    repeated: note('repeated', repeated),
    wrong: note('wrong', [...wrong, ...view]),
    files: files.files,
    'broken files': broken,
  };
  return { figures, problems };
}

const NOTHING = { events: 0, 'in doubt': 0, stored: 0, lost: 0, repeated: 0, wrong: 0 };

/** `stored` are the events of which there is a row. */
async function compareRows(files: StoredFiles, ledger: Ledger) {
  const stored = new Map<number, ChaosEvent>();
  const ids = new Map<string, number>();
  const repeated: string[] = [];
  const wrong: string[] = [];
  const subjects = { discovery_events: 'events.peer_discovered', metadata_events: 'events.metadata_received' };
  for (const [table, subject] of Object.entries(subjects)) {
    for (const { event_id, ...row } of await files.rows(table)) {
      const serial = Number(row['slot']);
      const eventId = String(event_id);
      const event = ledger.sent.get(serial);
      if (event === undefined || event.subject !== subject) {
        wrong.push(`${table} has an event that was never sent: ${JSON.stringify(row).slice(0, 200)}`);
        continue;
      }
      if (stored.has(serial)) repeated.push(`event ${serial} (${eventId})`);
      if (ids.has(eventId)) repeated.push(`id ${eventId} of events ${serial} and ${ids.get(eventId)}`);
      ids.set(eventId, serial);
      stored.set(serial, event);
      const promised = ledger.committed.get(serial);
      if (promised !== undefined && promised !== eventId)
        wrong.push(`event ${serial}: ${eventId}, promised as ${promised}`);
      wrong.push(...differences(`event ${serial} in ${table}`, expectedRow(event), row));
    }
  }
  const lost = [...ledger.committed]
    .filter(([serial]) => !stored.has(serial))
    .map(([serial, id]) => `event ${serial} (${id})`);
  const derived = await compareValidatorRows(files, stored);
  return { stored, lost, repeated: [...repeated, ...derived.repeated], wrong: [...wrong, ...derived.wrong] };
}

/** `validator_metadata_events`: one row for each stored observation that shows a short-lived subnet. */
async function compareValidatorRows(files: StoredFiles, stored: ReadonlyMap<number, ChaosEvent>) {
  const due = new Map([...stored].filter(([, event]) => (shortLived(event)?.length ?? 0) > 0));
  const seen = new Set<number>();
  const repeated: string[] = [];
  const wrong: string[] = [];
  for (const row of await files.rows('validator_metadata_events')) {
    const serial = Number(row['slot']);
    const event = due.get(serial);
    if (seen.has(serial)) repeated.push(`validator row of event ${serial}`);
    seen.add(serial);
    if (event === undefined) {
      wrong.push(`validator row of event ${serial}, which shows none`);
      continue;
    }
    const { metadata, ...columns } = expectedRow(event);
    const expected = { ...columns, ...(metadata as Row), long_lived_subnets: (event.longLived ?? []).map(String) };
    wrong.push(...differences(`validator row of event ${serial}`, expected, row));
  }
  const missing = [...due.keys()].filter((serial) => !seen.has(serial));
  return { repeated, wrong: [...wrong, ...missing.map((serial) => `no validator row of event ${serial}`)] };
}

/** The view, what counts as applied, what is staged, and the soundness of the database. */
function compareView(dataDir: string, stored: ReadonlyMap<number, ChaosEvent>, deadLetters: number): string[] {
  const path = join(dataDir, 'validator_tracker.sqlite');
  const wrong: string[] = [];
  const expected = expectedPeers(stored.values());
  const rows = new Map(ask<Row>(path, 'SELECT * FROM validator_tracker').map((row) => [String(row['peer_id']), row]));
  for (const [id, peer] of expected) {
    const row = rows.get(id);
    if (row === undefined) wrong.push(`peer ${id} is not in the view`);
    else wrong.push(...differences(`peer ${id}`, peer, row));
  }
  for (const id of rows.keys()) if (!expected.has(id)) wrong.push(`peer ${id} in the view was never observed`);
  const count = (sql: string) => ask<{ n: number }>(path, sql)[0]?.n;
  const applied = count(
    'SELECT coalesce((SELECT sum(last - first + 1) FROM applied_ranges), 0) + (SELECT count(*) FROM applied_events) AS n',
  );
  if (applied !== stored.size + deadLetters)
    wrong.push(`${applied} events count as applied, not ${stored.size + deadLetters}`);
  const letters = count('SELECT count(*) AS n FROM dead_letters');
  if (letters !== deadLetters) wrong.push(`${letters} dead letters, not ${deadLetters}`);
  const staged = count('SELECT count(*) AS n FROM parquet_staging');
  if (staged !== 0) wrong.push(`${staged} rows are still staged`);
  wrong.push(...unsound(path));
  return wrong;
}

/** What SQLite's own check finds in a database. */
export function unsound(path: string): string[] {
  const found = ask<{ integrity_check: string }>(path, 'PRAGMA integrity_check').map((row) => row.integrity_check);
  return found.filter((text) => text !== 'ok').map((text) => `${path}: ${text}`);
}

function differences(what: string, expected: Row, actual: Row): string[] {
  return Object.entries(expected)
    .filter(([column, value]) => !isDeepStrictEqual(actual[column] ?? null, value))
    .map(([column, value]) => `${what}: ${column} is ${JSON.stringify(actual[column])}, not ${JSON.stringify(value)}`);
}
