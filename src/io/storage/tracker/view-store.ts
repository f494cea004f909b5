import { dayOf } from '../../../consensus/day.ts';
import type { EstimatorModel } from '../../../consensus/estimators/estimator-network.ts';
import { NO_EVIDENCE, type PeerView } from '../../../consensus/peer-view.ts';
import type { BatchChange, DeadLetter, ViewStore } from '../../../streams/ports/view-store.ts';
import type { ParquetFlusher } from '../parquet/flusher.ts';
import { rowsOf } from '../parquet/rows.ts';
import type { Staging } from '../parquet/staging.ts';
import type { SqliteDatabase } from '../sqlite/sqlite.ts';
import { type AppliedEvents, loadAppliedEvents } from './applied-events.ts';
import { writeDeadLetters } from './dead-letters.ts';
import { decodeEvidence, encodeEvidence } from './estimator-state.ts';
import { PLACE_COLUMNS } from './locations-schema.ts';
import { type EstimateColumns, estimateRowsOf, rowOf, stampsOf, type ViewRow, viewOf } from './view-rows.ts';

export interface ViewStoreOptions {
  /** The one connection that writes `validator_tracker.sqlite`. */
  readonly database: SqliteDatabase;
  readonly staging: Staging;
  readonly flusher: Pick<ParquetFlusher, 'room' | 'staged'>;
  /** Absent where the network is unknown. */
  readonly model?: EstimatorModel;
  /** Told after a commit which events were put aside, and how many had to go for them. */
  readonly onDeadLetters?: (letters: readonly DeadLetter[], dropped: number) => void;
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

const ESTIMATE_COLUMNS = [
  'validators_estimate',
  'validators_low',
  'validators_high',
  'stake_eth_low',
  'stake_eth_high',
  'estimate_method',
  'estimate_flags',
  'estimate_observations',
  'estimate_from_ms',
  'estimate_to_ms',
] as const satisfies readonly (keyof EstimateColumns)[];

const WRITTEN_COLUMNS = [...OWN_COLUMNS, ...ESTIMATE_COLUMNS];

/** One statement for a whole batch: a dozen times faster than a statement a row. Values are found sooner by number than by name. */
const UPSERT_VIEWS = `
  INSERT INTO validator_tracker (${WRITTEN_COLUMNS.join(', ')})
  SELECT ${WRITTEN_COLUMNS.map((_, index) => `value ->> ${index}`).join(', ')} FROM json_each(?) WHERE true
  ON CONFLICT (peer_id) DO UPDATE SET
    ${WRITTEN_COLUMNS.slice(1)
      .map((column) => `${column} = excluded.${column}`)
      .join(', ')},
    ${PLACE_COLUMNS.map((column) => `${column} = iif(ip IS excluded.ip, ${column}, NULL)`).join(', ')}`;

const UPSERT_ESTIMATES = `
  INSERT INTO validator_estimates (peer_id, method, estimate, low, high, observations, updated_at)
  SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6
    FROM json_each(?) WHERE true
  ON CONFLICT (peer_id, method) DO UPDATE SET estimate = excluded.estimate, low = excluded.low, high = excluded.high,
    observations = excluded.observations, updated_at = excluded.updated_at`;

const HISTORY_ROWS = `
  INTO validator_history (day, peer_id, validators_estimate, validators_low, validators_high,
    stake_eth_low, stake_eth_high, max_validator_count, num_observations)
  SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
    value ->> 8 FROM json_each(?)`;
const UPSERT_HISTORY = `INSERT OR REPLACE ${HISTORY_ROWS}`;
const ADD_HISTORY = `INSERT OR IGNORE ${HISTORY_ROWS}`;

/** The reducer's store in SQLite: view, applied ids, log position, dead letters and Parquet rows in one transaction. */
export async function sqliteViewStore({
  database,
  staging,
  flusher,
  model,
  onDeadLetters = () => {},
}: ViewStoreOptions): Promise<ViewStore> {
  let appliedEvents: AppliedEvents | undefined = await loadAppliedEvents(database);
  const loaded = async () => {
    appliedEvents ??= await loadAppliedEvents(database);
    return appliedEvents;
  };

  return {
    room: () => flusher.room(),

    applied: async (eventIds) => (await loaded()).among(eventIds),

    async views(peerIds) {
      const rows = await database.all<ViewRow & { stamps: string; state: Buffer | null }>(
        `SELECT ${OWN_COLUMNS.join(', ')}, stamps, state
           FROM validator_tracker JOIN fact_stamps USING (peer_id) LEFT JOIN estimator_states USING (peer_id)
           WHERE peer_id IN (SELECT value FROM json_each(?))`,
        JSON.stringify(peerIds),
      );
      return new Map(
        rows.map(({ stamps, state, ...row }) => {
          const evidence = state === null ? NO_EVIDENCE : decodeEvidence(state);
          return [row.peer_id, viewOf(row, stamps, evidence)];
        }),
      );
    },

    async commit({ log, position, committedMs, eventIds, events, views, endedDays, lateDays, deadLetters }) {
      const applied = await loaded();
      const rows = events.flatMap(rowsOf);
      // Should the commit fail in a way that leaves its fate open, the database tells what has been applied.
      appliedEvents = undefined;
      const { remember, dropped } = await database.transaction(async () => {
        await writeViews(database, { views, endedDays, lateDays, committedMs, model: model ?? null });
        await staging.add(rows);
        const dropped = await writeDeadLetters(database, log, deadLetters, committedMs);
        await database.run(
          `INSERT INTO log_positions (log, position) VALUES (?, ?)
             ON CONFLICT (log) DO UPDATE SET position = max(position, excluded.position)`,
          log,
          position,
        );
        return { remember: await applied.write(eventIds, committedMs), dropped };
      });
      remember();
      appliedEvents = applied;
      flusher.staged(rows);
      if (deadLetters.length > 0) onDeadLetters(deadLetters, dropped);
    },
  };
}

async function writeViews(
  database: SqliteDatabase,
  {
    views,
    endedDays,
    lateDays,
    committedMs,
    model,
  }: Pick<BatchChange, 'views' | 'endedDays' | 'lateDays' | 'committedMs'> & {
    readonly model: EstimatorModel | null;
  },
): Promise<void> {
  if (views.length === 0) return;
  const rows = views.map((view) => {
    const { columns, methods } = estimateRowsOf(view, model);
    return { view: { ...rowOf(view), ...columns }, methods };
  });
  await database.run(
    UPSERT_VIEWS,
    JSON.stringify(rows.map(({ view }) => WRITTEN_COLUMNS.map((column) => view[column]))),
  );
  await database.run(UPSERT_ESTIMATES, JSON.stringify(rows.flatMap(({ methods }) => methods)));
  await database.run(
    `INSERT INTO fact_stamps (peer_id, stamps, stored_ms) SELECT value ->> 0, value ->> 1, ? FROM json_each(?) WHERE true
       ON CONFLICT (peer_id) DO UPDATE SET stamps = excluded.stamps, stored_ms = excluded.stored_ms`,
    committedMs,
    JSON.stringify(views.map((view) => [view.peerId, stampsOf(view.facts)])),
  );
  await database.run(
    `INSERT INTO estimator_states (peer_id, state) SELECT value ->> 0, unhex(value ->> 1) FROM json_each(?) WHERE true
       ON CONFLICT (peer_id) DO UPDATE SET state = excluded.state`,
    JSON.stringify(views.map((view) => [view.peerId, encodeEvidence(view.evidence).toString('hex')])),
  );
  const fullRow = (view: PeerView) => ({ ...rowOf(view), ...estimateRowsOf(view, model).columns });
  const ended = [...endedDays.map(fullRow), ...rows.map(({ view }) => view)];
  await database.run(UPSERT_HISTORY, JSON.stringify(ended.map((row) => historyRow(row, row.last_seen))));
  if (lateDays.length === 0) return;
  // What a day ended with stands, however late an observation of it comes.
  await database.run(ADD_HISTORY, JSON.stringify(lateDays.map(({ atMs, view }) => historyRow(fullRow(view), atMs))));
}

function historyRow(row: ViewRow & EstimateColumns, atMs: number): unknown[] {
  return [
    dayOf(atMs),
    row.peer_id,
    row.validators_estimate,
    row.validators_low,
    row.validators_high,
    row.stake_eth_low,
    row.stake_eth_high,
    row.max_validator_count,
    row.num_observations,
  ];
}
