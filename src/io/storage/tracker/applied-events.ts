import { parseEventId } from '../../../consensus/event-id.ts';
import { IntervalSet } from '../../../streams/interval-set.ts';
import type { SqliteDatabase } from '../sqlite/sqlite.ts';

/** Which events have been applied, as `applied_ranges` (held in memory too) and `applied_events` say. */
export interface AppliedEvents {
  /** Those of the given ids that have been applied. */
  among(eventIds: readonly string[]): Promise<ReadonlySet<string>>;
  /**
   * Writes the ids; call it inside the transaction that contains their effect. The function it gives makes them count
   * from now on: call that after the commit, and only then.
   */
  write(eventIds: readonly string[], appliedMs: number): Promise<() => void>;
}

interface RangeRow {
  producer: string;
  first: number;
  last: number;
}

export async function loadAppliedEvents(database: SqliteDatabase): Promise<AppliedEvents> {
  const rows = await database.all<RangeRow>(
    'SELECT producer, first, last FROM applied_ranges ORDER BY producer, first',
  );
  const byProducer = new Map<string, IntervalSet>();
  for (const [producer, runs] of Map.groupBy(rows, (row) => row.producer)) {
    byProducer.set(producer, new IntervalSet(runs.map(({ first, last }) => ({ first, last }))));
  }

  return {
    async among(eventIds) {
      const applied = new Set<string>();
      const foreign: string[] = [];
      for (const eventId of eventIds) {
        const id = parseEventId(eventId);
        if (id === null) foreign.push(eventId);
        else if (byProducer.get(id.producer)?.has(id.sequence)) applied.add(eventId);
      }
      if (foreign.length === 0) return applied;
      const found = await database.all<{ event_id: string }>(
        'SELECT event_id FROM applied_events WHERE event_id IN (SELECT value FROM json_each(?))',
        JSON.stringify(foreign),
      );
      for (const { event_id } of found) applied.add(event_id);
      return applied;
    },

    async write(eventIds, appliedMs) {
      const changed = new Map<string, IntervalSet>();
      const foreign: string[] = [];
      for (const eventId of eventIds) {
        const id = parseEventId(eventId);
        if (id === null) {
          foreign.push(eventId);
          continue;
        }
        const set = changed.get(id.producer) ?? byProducer.get(id.producer)?.copy() ?? new IntervalSet();
        set.add(id.sequence);
        changed.set(id.producer, set);
      }
      if (changed.size > 0) await writeRanges(database, byProducer, changed);
      if (foreign.length > 0) {
        await database.run(
          'INSERT OR IGNORE INTO applied_events (event_id, applied_ms) SELECT value, ? FROM json_each(?)',
          appliedMs,
          JSON.stringify(foreign),
        );
      }
      return () => {
        for (const [producer, set] of changed) byProducer.set(producer, set);
      };
    },
  };
}

/**
 * Those of the ids that were dealt with, applied or put aside in `dead_letters`, read from a connection of its own: what is
 * in a transaction that has not ended yet does not count.
 */
export async function committedAmong(
  reader: SqliteDatabase,
  eventIds: readonly string[],
): Promise<ReadonlySet<string>> {
  const rows = await reader.all<{ event_id: string }>(COMMITTED_AMONG, JSON.stringify(eventIds.map(askedRow)));
  return new Set(rows.map(({ event_id }) => event_id));
}

const COMMITTED_AMONG = `
  WITH asked AS (SELECT value ->> 0 AS event_id, value ->> 1 AS producer, value ->> 2 AS sequence FROM json_each(?))
  SELECT event_id FROM asked WHERE
    (SELECT last FROM applied_ranges WHERE producer = asked.producer AND first <= asked.sequence
       ORDER BY first DESC LIMIT 1) >= sequence
    OR event_id IN (SELECT event_id FROM applied_events)
    OR event_id IN (SELECT event_id FROM dead_letters)`;

function askedRow(eventId: string): unknown[] {
  const id = parseEventId(eventId);
  return [eventId, id?.producer ?? null, id?.sequence ?? null];
}

/** Writes only the runs that differ: a producer with many gaps costs no more than its change. */
async function writeRanges(
  database: SqliteDatabase,
  before: ReadonlyMap<string, IntervalSet>,
  after: ReadonlyMap<string, IntervalSet>,
): Promise<void> {
  const gone: [producer: string, first: number][] = [];
  const written: [producer: string, first: number, last: number][] = [];
  for (const [producer, set] of after) {
    const lasts = new Map(before.get(producer)?.runs.map(({ first, last }) => [first, last]));
    for (const { first, last } of set.runs) {
      if (lasts.get(first) !== last) written.push([producer, first, last]);
      lasts.delete(first);
    }
    for (const first of lasts.keys()) gone.push([producer, first]);
  }
  if (gone.length > 0) {
    await database.run(
      `DELETE FROM applied_ranges WHERE (producer, first) IN
         (SELECT value ->> 0, value ->> 1 FROM json_each(?))`,
      JSON.stringify(gone),
    );
  }
  await database.run(
    `INSERT INTO applied_ranges (producer, first, last)
       SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?) WHERE true
     ON CONFLICT (producer, first) DO UPDATE SET last = excluded.last`,
    JSON.stringify(written),
  );
}
