import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type Program, type Under, valtrack } from './processes.ts';

/** The harness' end of `valtrack consumer`. */
export interface ConsumerProcess {
  /** Starts the process, or starts it again after its end; resolves when it serves. Rejects when it ends before that. */
  start(under?: Under): Promise<void>;
  /** Events whose effect is committed, read from its database. */
  applied(): number;
  /** `null` when ready, else the reason. */
  unready(): Promise<string | null>;
  program(): Program;
}

export function consumerProcess(options: {
  readonly dataDir: string;
  readonly natsUrl: string;
  readonly stderrPath: string;
  readonly more?: readonly string[];
}): ConsumerProcess {
  const { dataDir, natsUrl, stderrPath, more = [] } = options;
  let current: Program | undefined;
  let url = '';
  return {
    async start(under) {
      const args = ['consumer', '--nats-url', natsUrl, '--data-dir', dataDir, '--http-port', '0', ...ROTATION, ...more];
      current = valtrack([...args, '--log-format', 'json'], { stderrPath }, under);
      const serving = await current.line('the consumer serves', ({ msg }) => msg === 'serving');
      url = new URL(String(serving['url'])).origin;
    },
    applied: () => applied(dataDir),
    async unready() {
      const response = await fetch(`${url}/readyz`);
      const body = await response.text();
      return response.status === 200 ? null : `${response.status} ${body}`;
    },
    program() {
      if (current === undefined) throw new Error('the consumer was never started');
      return current;
    },
  };
}

/** So that files are written, and merged, all the time. */
const ROTATION = ['--parquet-rows', '500', '--parquet-interval', '2s'];

function applied(dataDir: string): number {
  return (
    ask<{ n: number }>(
      join(dataDir, 'validator_tracker.sqlite'),
      `SELECT coalesce((SELECT sum(last - first + 1) FROM applied_ranges), 0) + (SELECT count(*) FROM applied_events) AS n`,
    )[0]?.n ?? 0
  );
}

/** Those of the event ids whose effect is not committed. */
export function notApplied(dataDir: string, eventIds: Iterable<string>): string[] {
  const path = join(dataDir, 'validator_tracker.sqlite');
  const ranges = Map.groupBy(
    ask<{ producer: string; first: number; last: number }>(path, 'SELECT producer, first, last FROM applied_ranges'),
    ({ producer }) => producer,
  );
  return [...eventIds].filter((eventId) => {
    const [producer = '', sequence] = eventId.split(':');
    const runs = ranges.get(producer) ?? [];
    return !runs.some(({ first, last }) => first <= Number(sequence) && Number(sequence) <= last);
  });
}

/** Events in the spool of a sentry. */
export function spooled(dataDir: string): number {
  return ask<{ n: number }>(join(dataDir, 'sentry.sqlite'), 'SELECT count(*) AS n FROM event_log_entries')[0]?.n ?? 0;
}

/** Asks a database of the program through another SQLite than its own, without changing anything. */
export function ask<Row>(path: string, sql: string): Row[] {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    database.exec('PRAGMA busy_timeout = 2000');
    return database.prepare(sql).all() as Row[];
  } finally {
    database.close();
  }
}
