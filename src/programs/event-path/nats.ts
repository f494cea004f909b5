import { firstValueFrom, timer } from 'rxjs';
import { consumerId } from '../../io/event-log/consumer-id.ts';
import { LEASE_MS } from '../../io/event-log/nats/lease.ts';
import { type NatsEventLog, natsEventLog } from '../../io/event-log/nats/log.ts';
import type { Logger } from '../../io/logging/logger.ts';
import { once, type Part, partOf } from '../part.ts';

/** NATS as the program has it: there, or waited for. */
export interface NatsPart extends Part {
  readonly connected: Promise<NatsEventLog>;
  /** That no server has been reached since the start, for people; `null` once one has. */
  unreached(): string | null;
  /** Why nothing comes or goes, for people; `null` when connected. */
  problem(): string | null;
}

export interface NatsPartOptions {
  readonly url: string;
  readonly replicas: number;
  readonly durable: string;
  /** Where the consumer's own id is kept. */
  readonly dataDir: string;
  /** Go on without a server, and keep trying; else its absence is an error. */
  readonly mayBeAway: boolean;
  /** Whether somebody here reads from it: then its absence is a reason to be not ready. */
  readonly isRead: boolean;
  /** Ends the waiting for a server, besides `stop`. */
  readonly ending?: AbortSignal;
  readonly logger: Logger;
}

/** A server that does not answer any more gets no time to say goodbye. */
const CLOSE_MS = 2_000;

/**
 * Connects to NATS.
 * @throws EventLogUnreachableError, EventLogConfigError
 */
export async function startNats(options: NatsPartOptions): Promise<NatsPart> {
  const { url, replicas, durable, dataDir, mayBeAway, isRead, ending, logger } = options;
  const leaving = new AbortController();
  let log: NatsEventLog | null = null;
  const connected = natsEventLog({
    url,
    logger,
    durables: [durable],
    replicas,
    lease: { ttlMs: LEASE_MS, id: await consumerId(dataDir) },
    waitOnFirstConnect: mayBeAway,
    signal: ending === undefined ? leaving.signal : AbortSignal.any([ending, leaving.signal]),
  }).then((opened) => {
    log = opened;
    return opened;
  });
  // Who waits for it hears of it and says so; nobody may be waiting yet.
  connected.catch((error: unknown) => logger.debug({ err: error }, 'NATS could not be connected'));
  if (!mayBeAway) await connected;
  const unreached = () => (log === null ? 'no NATS server can be reached' : null);
  return {
    ...partOf('the NATS connection', {
      checks: isRead ? [{ name: 'NATS', reason: async () => log?.problem() ?? null }] : [],
    }),
    connected,
    unreached,
    problem: () => unreached() ?? log?.problem() ?? null,
    stop: once(async () => {
      leaving.abort();
      const closing = Promise.allSettled([connected.then((opened) => opened.close())]);
      await Promise.race([closing, firstValueFrom(timer(CLOSE_MS))]);
    }),
  };
}
