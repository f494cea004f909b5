import type { JetStreamClient } from 'nats';
import { inTurn } from '../../../streams/flow/in-turn.ts';
import type { LogEntry } from '../../../streams/ports/event-log.ts';
import { type PublishOptions, StreamChangedError } from '../../../streams/ports/spool.ts';
import type { NatsLink } from './connection.ts';
import { asEventLogError, isNoResponders } from './errors.ts';
import { publishAll } from './publish.ts';
import type { NatsTopology } from './topology.ts';

/** Publishes lists of entries, one list after the other, so that nothing overtakes. */
export interface NatsPublisher {
  /**
   * As a `PublishedStream` does it.
   * @param options `null` for entries that go to whichever stream is there, and for the first time
   */
  publish(entries: readonly LogEntry[], options: PublishOptions | null): Promise<number>;
  /** Resolves when all publications so far have ended, well or not. */
  done(): Promise<void>;
}

export interface NatsPublisherOptions {
  readonly link: Pick<NatsLink, 'connected' | 'servers'>;
  readonly topology: Pick<NatsTopology, 'ensure'>;
  readonly jetstream: Pick<JetStreamClient, 'publish'>;
  /** The session as it is at this moment. */
  readonly session: () => string;
  /** How long to wait for the connection, and for each acknowledgement. */
  readonly timeoutMs: number;
}

export function natsPublisher({ link, topology, jetstream, session, timeoutMs }: NatsPublisherOptions): NatsPublisher {
  const turns = inTurn();

  async function publishOnce(entries: readonly LogEntry[], options: PublishOptions | null): Promise<number> {
    await topology.ensure();
    const wanted = options?.session ?? session();
    const check = () => {
      if (options === null || session() === wanted) return;
      throw new StreamChangedError(`NATS is ${session()} now, no longer ${wanted}`);
    };
    check();
    return publishAll(jetstream, entries, { timeoutMs, check, insists: options?.isRepeated === true });
  }

  async function publish(entries: readonly LogEntry[], options: PublishOptions | null): Promise<number> {
    await link.connected(timeoutMs);
    try {
      return await publishOnce(entries, options).catch((error: unknown) => {
        if (!isNoResponders(error)) throw error;
        // The stream was removed just now; with the ids, what was published before is not doubled.
        return publishOnce(entries, options);
      });
    } catch (error) {
      throw asEventLogError(error, link.servers);
    }
  }

  return {
    publish: (entries, options) => turns.take(() => publish(entries, options)),
    done: turns.done,
  };
}
