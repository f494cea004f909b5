import type { JetStreamManager } from 'nats';
import { STREAM_NAME } from '../../../consensus/events.ts';
import { inTurn } from '../../../streams/flow/in-turn.ts';
import type { StreamState } from '../../../streams/ports/spool.ts';
import type { Logger } from '../../logging/logger.ts';
import { markOf } from './durable-note.ts';
import { ackWaitMsOf, natsDurables, type Reading } from './durables.ts';
import { asEventLogError } from './errors.ts';
import { type Readers, readersBook } from './readers.ts';
import type { DurableLook } from './stall.ts';
import { natsStream } from './stream.ts';

/**
 * The stream and its durables. With interest retention a message that no durable waits for vanishes, so both have to be
 * there before anything is published, whoever starts first.
 */
export interface NatsTopology {
  /** `nats:<stream>:<when it was created>`: another one once the stream is made anew. */
  readonly id: string;
  /** As `id`, and another one too once one of the durables is made anew; `''` before the first `ensure`. */
  readonly incarnation: string;
  /** Which server of a cluster led the stream when it was asked last; `''` without a cluster. */
  readonly leader: string;
  /** Makes the stream and all durables unless they are there; asks the server each time, since they may be removed. */
  ensure(): Promise<StreamPlace>;
  look(durable: string): Promise<DurableLook>;
  /**
   * Remembers which durables there are besides: should the stream be lost, they are made anew with it. One that is gone
   * still counts for a while, for its consumer may make it again, and then wants what it has not read.
   */
  learn(): Promise<Readers>;
  /** The same for one durable whose consumer reads with these settings; resolves to its ack wait. */
  ensureDurable(durable: string, reading: Reading): Promise<{ ackWaitMs: number }>;
  /**
   * Makes a durable anew, with the same settings: it then hands out everything that the stream has, acknowledged or
   * not. Nothing leaves the stream meanwhile, however far it gets.
   */
  renewDurable(durable: string): Promise<void>;
}

export type StreamPlace = Omit<StreamState, 'session' | 'readers'>;

export interface NatsTopologyOptions {
  readonly durables: readonly string[];
  readonly ackWaitMs?: number | undefined;
  /** On how many servers of a cluster the stream is stored when it is made here. */
  readonly replicas: number;
  readonly servers: string;
  readonly logger: Logger;
}

/** Resolves once stream and durables are there. Rejects with an EventLogConfigError when they are of another kind. */
export async function natsTopology(
  jsm: JetStreamManager,
  { durables: names, ackWaitMs, replicas, servers, logger }: NatsTopologyOptions,
): Promise<NatsTopology> {
  const durables = natsDurables(jsm, { ackWaitMs, logger });
  const readers = readersBook(names);
  const stream = natsStream(jsm, {
    replicas,
    logger,
    async onAnother() {
      for (const durable of readers.othersAtLast()) await durables.ensure(durable);
    },
  });
  const turns = inTurn();
  let incarnation = '';
  let leader = '';

  /** One after the other: a durable that two make at once has the settings of either. */
  function change<T>(work: () => Promise<T>): Promise<T> {
    return turns.take(work).catch((error: unknown) => {
      throw asEventLogError(error, servers);
    });
  }

  /** The stream first: a durable that is the same afterwards was there for all of what the stream has said. */
  async function ensureAll(): Promise<StreamPlace> {
    const { state, cluster } = await stream.ensure();
    const marks: string[] = [];
    for (const durable of names) marks.push(markOf((await durables.ensure(durable)).config));
    incarnation = [stream.id, ...marks].join(' ');
    leader = cluster?.leader ?? '';
    return {
      incarnation,
      firstSequence: state.first_seq,
      lastSequence: state.last_seq,
    };
  }

  await change(ensureAll);
  return {
    get id() {
      return stream.id;
    },
    get incarnation() {
      return incarnation;
    },
    get leader() {
      return leader;
    },
    ensure: () => change(ensureAll),
    learn: () => change(() => readers.learn(jsm.consumers.list(STREAM_NAME), performance.now())),
    look: durables.look,
    ensureDurable: (durable, reading) =>
      change(async () => {
        await stream.ensure();
        const { config } = await durables.ensure(durable, reading);
        await durables.tidy(durable);
        return { ackWaitMs: ackWaitMsOf(config) };
      }),
    renewDurable: (durable) => change(() => durables.renew(durable)),
  };
}
