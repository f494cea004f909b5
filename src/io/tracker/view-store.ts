import type { PeerView } from '../../consensus/peer-view.ts';
import type { DeadLetter, ViewStore } from '../../streams/ports/view-store.ts';
import type { ParquetFlusher } from '../parquet/flusher.ts';
import { rowsOf } from '../parquet/rows.ts';
import type { Staging } from '../parquet/staging.ts';
import type { SqliteDatabase } from '../sqlite.ts';
import { type AppliedEvents, loadAppliedEvents } from './applied-events.ts';
import { rowOf, stampsOf, type ViewRow, viewOf } from './view-rows.ts';

export interface ViewStoreOptions {
  /** The one connection that writes `validator_tracker.sqlite`. */
  readonly database: SqliteDatabase;
  readonly staging: Staging;
  readonly flusher: Pick<ParquetFlusher, 'room' | 'staged'>;
}

/** Columns that the reducer writes, `peer_id` first. */
const OWN_COLUMNS = [
  'peer_id',
  'enr',
  'multiaddr',
  'ip',
  'port',
  'last_seen',
  'last_epoch',
  'client_version',
  'possible_validator',
  'max_validator_count',
  'num_observations',
  'first_seen',
  'long_lived_subnets',
  'short_lived_subnets',
  'custody_group_count',
  'fork_digest',
  'direction',
  'transport',
] as const satisfies readonly (keyof ViewRow)[];

/** Facts about the address, which must not outlive it. */
const PLACE_COLUMNS = [
  'hostname',
  'city',
  'region',
  'country',
  'latitude',
  'longitude',
  'postal_code',
  'asn',
  'asn_organization',
  'asn_type',
] as const;

/** One statement for a whole batch: a dozen times faster than a statement a row. */
const UPSERT_VIEWS = `
  INSERT INTO validator_tracker (${OWN_COLUMNS.join(', ')})
  SELECT ${OWN_COLUMNS.map((column) => `value ->> '${column}'`).join(', ')} FROM json_each(?) WHERE true
  ON CONFLICT (peer_id) DO UPDATE SET
    ${OWN_COLUMNS.slice(1)
      .map((column) => `${column} = excluded.${column}`)
      .join(', ')},
    ${PLACE_COLUMNS.map((column) => `${column} = iif(ip IS excluded.ip, ${column}, NULL)`).join(', ')}`;

const MAX_DEAD_LETTERS = 10_000;
const MAX_DEAD_LETTER_BYTES = 4_096;

/** The reducer's store in SQLite: view, applied ids, log position, dead letters and Parquet rows in one transaction. */
export async function sqliteViewStore({ database, staging, flusher }: ViewStoreOptions): Promise<ViewStore> {
  let appliedEvents: AppliedEvents | undefined = await loadAppliedEvents(database);
  const loaded = async () => {
    appliedEvents ??= await loadAppliedEvents(database);
    return appliedEvents;
  };

  return {
    room: () => flusher.room(),

    applied: async (eventIds) => (await loaded()).among(eventIds),

    async views(peerIds) {
      const rows = await database.all<ViewRow & { stamps: string }>(
        `SELECT ${OWN_COLUMNS.join(', ')}, stamps FROM validator_tracker JOIN fact_stamps USING (peer_id)
           WHERE peer_id IN (SELECT value FROM json_each(?))`,
        JSON.stringify(peerIds),
      );
      return new Map(rows.map(({ stamps, ...row }) => [row.peer_id, viewOf(row, stamps)]));
    },

    async commit({ log, position, committedMs, eventIds, events, views, deadLetters }) {
      const applied = await loaded();
      const rows = events.flatMap(rowsOf);
      // Should the commit fail in a way that leaves its fate open, the database tells what has been applied.
      appliedEvents = undefined;
      const remember = await database.transaction(async () => {
        await writeViews(database, views);
        await staging.add(rows);
        await writeDeadLetters(database, log, deadLetters, committedMs);
        await database.run(
          `INSERT INTO log_positions (log, position) VALUES (?, ?)
             ON CONFLICT (log) DO UPDATE SET position = max(position, excluded.position)`,
          log,
          position,
        );
        return applied.write(eventIds, committedMs);
      });
      remember();
      appliedEvents = applied;
      flusher.staged(rows);
    },
  };
}

async function writeViews(database: SqliteDatabase, views: readonly PeerView[]): Promise<void> {
  if (views.length === 0) return;
  await database.run(UPSERT_VIEWS, JSON.stringify(views.map(rowOf)));
  await database.run(
    `INSERT INTO fact_stamps (peer_id, stamps) SELECT value ->> 0, value ->> 1 FROM json_each(?) WHERE true
       ON CONFLICT (peer_id) DO UPDATE SET stamps = excluded.stamps`,
    JSON.stringify(views.map((view) => [view.peerId, stampsOf(view.facts)])),
  );
}

/** Keeps the newest of them, each cut to a size that still shows what it is. */
async function writeDeadLetters(
  database: SqliteDatabase,
  log: string,
  deadLetters: readonly DeadLetter[],
  receivedMs: number,
): Promise<void> {
  for (const { position, eventId, subject, reason, payload } of deadLetters.slice(-MAX_DEAD_LETTERS)) {
    await database.run(
      `INSERT INTO dead_letters (log, position, event_id, subject, reason, payload, payload_bytes, received_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      log,
      position,
      eventId,
      subject,
      reason,
      Buffer.from(payload.subarray(0, MAX_DEAD_LETTER_BYTES)),
      payload.length,
      receivedMs,
    );
  }
  if (deadLetters.length > 0) {
    await database.run('DELETE FROM dead_letters WHERE id <= (SELECT max(id) FROM dead_letters) - ?', MAX_DEAD_LETTERS);
  }
}
