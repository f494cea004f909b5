import {
  AckPolicy,
  type ConsumerConfig,
  type ConsumerInfo,
  DeliverPolicy,
  type JetStreamManager,
  nanos,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
  type StreamInfo,
} from 'nats';
import { firstValueFrom, timer } from 'rxjs';
import { MAX_EVENT_BYTES, STREAM_NAME, SUBJECTS } from '../../../consensus/events.ts';
import type { StreamState } from '../../../streams/ports/spool.ts';
import type { Logger } from '../../logging/logger.ts';
import { checkConsumer, checkStream, wrongWithConsumer } from './checks.ts';
import { describing, isSaying, markOf, newMark } from './durable-note.ts';
import { asEventLogError, isConsumerNotFound, isStreamNotFound } from './errors.ts';
import type { DurableLook } from './stall.ts';

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

export interface Reading {
  /** So many messages may be unacknowledged. */
  readonly maxAckPending: number;
  /** Whether the consumer says what it has applied when it is asked (`nats-applied.ts`): noted in the durable's description. */
  readonly saysApplied: boolean;
}

/** All durables that wait for messages. */
export interface Readers {
  /** The sequence up to which all of them have acknowledged; 0 while some cannot be asked. */
  readonly acknowledged: number;
  /** The same for those that are gone, whatever the stream has dropped since; infinite when none is. */
  readonly missed: number;
  /** Those of other consumers, each with what tells it from its successor of the same name. */
  readonly others: Readonly<Record<string, string>>;
  /** Durables whose consumers say what they have applied. */
  readonly saying: readonly string[];
}

export interface NatsTopologyOptions {
  readonly durables: readonly string[];
  readonly ackWaitMs?: number | undefined;
  /** On how many servers of a cluster the stream is stored when it is made here. */
  readonly replicas: number;
  readonly servers: string;
  readonly logger: Logger;
}

/** The server's default, which the Go program's durables have. */
const DEFAULT_MAX_ACK_PENDING = 1000;
const DEFAULT_ACK_WAIT_MS = 30_000;
const NOT_READ_YET: Reading = { maxAckPending: DEFAULT_MAX_ACK_PENDING, saysApplied: false };
const NANOS_PER_MS = 1_000_000;
/** Beside an event, what a message has: its id above all. */
const MAX_HEADER_BYTES = 4 * 1024;
/** So long after a stream was removed its files are gone. */
const REMOVED_MS = 500;
/** So long after it was seen last, a durable of another consumer is taken for removed on purpose. */
const FORGET_MS = 600_000;
/** Of the durable that keeps everything in the stream while the one before this is made anew. */
const KEEPER_SUFFIX = '-renewing';

/** Resolves once stream and durables are there. Rejects with an EventLogConfigError when they are of another kind. */
export async function natsTopology(
  jsm: JetStreamManager,
  { durables, ackWaitMs = DEFAULT_ACK_WAIT_MS, replicas, servers, logger }: NatsTopologyOptions,
): Promise<NatsTopology> {
  let id = '';
  let incarnation = '';
  let leader = '';
  let saidReplicas = false;
  /** Durables of other consumers. */
  const others = new Map<string, { readonly mark: string; readonly floor: number; readonly seenMs: number }>();
  let learnedMs = 0;
  /** The stream that has them. */
  let othersId = '';
  let lastChange: Promise<unknown> = Promise.resolve();

  async function ensureStream(): Promise<StreamInfo> {
    const info = (await found(jsm.streams.info(STREAM_NAME), isStreamNotFound)) ?? (await addStream());
    checkStream(info.config);
    tellReplicas(info.config);
    const current = `nats:${STREAM_NAME}:${info.created}`;
    if (id !== '' && current !== id) logger.warn({ was: id, now: current }, 'the NATS stream is another one now');
    if (current !== othersId) {
      for (const [durable, { seenMs }] of others) {
        // One that was gone before was removed on purpose.
        if (seenMs === learnedMs) await ensureConsumer(durable, undefined);
      }
      othersId = current;
    }
    id = current;
    return info;
  }

  function tellReplicas({ num_replicas: actual }: StreamConfig): void {
    if (saidReplicas || actual === replicas) return;
    saidReplicas = true;
    const command = `nats stream edit ${STREAM_NAME} --replicas=${replicas}`;
    logger.warn(
      { actual, wanted: replicas },
      `the NATS stream is on ${actual} servers, not ${replicas}; \`${command}\` changes it`,
    );
  }

  async function addStream(): Promise<StreamInfo> {
    // nats-server 2.9 takes the files of a stream away after it has said so, and those of a new one of that name with them.
    if (id !== '') await firstValueFrom(timer(REMOVED_MS));
    const info = await jsm.streams.add({
      name: STREAM_NAME,
      subjects: [...SUBJECTS],
      retention: RetentionPolicy.Interest,
      storage: StorageType.File,
      max_msg_size: MAX_EVENT_BYTES + MAX_HEADER_BYTES,
      num_replicas: replicas,
    });
    logger.info({ stream: STREAM_NAME, replicas }, 'made the NATS stream');
    return info;
  }

  async function ensureConsumer(durable: string, reading: Reading | undefined): Promise<ConsumerInfo> {
    const info = await found(jsm.consumers.info(STREAM_NAME, durable), isConsumerNotFound);
    if (info === null) return addConsumer(durable, reading ?? NOT_READ_YET);
    const { config } = info;
    checkConsumer(config);
    if (reading === undefined) return info;
    const { maxAckPending: max_ack_pending, saysApplied } = reading;
    if (config.max_ack_pending === max_ack_pending && isSaying(config) === saysApplied) return info;
    const description = describing(markOf(config), saysApplied);
    return jsm.consumers.update(STREAM_NAME, durable, { max_ack_pending, description });
  }

  async function addConsumer(durable: string, { maxAckPending, saysApplied }: Reading): Promise<ConsumerInfo> {
    const info = await jsm.consumers.add(STREAM_NAME, {
      durable_name: durable,
      description: describing(newMark(), saysApplied),
      ack_policy: AckPolicy.Explicit,
      deliver_policy: DeliverPolicy.All,
      ack_wait: nanos(ackWaitMs),
      max_ack_pending: maxAckPending,
    });
    logger.info({ stream: STREAM_NAME, durable }, 'made the NATS durable');
    return info;
  }

  /** What no durable waits for leaves the stream, so that another one has to wait while this one is missing. */
  async function renew(durable: string): Promise<void> {
    const info = await found(jsm.consumers.info(STREAM_NAME, durable), isConsumerNotFound);
    // An earlier attempt came as far as removing it; whoever needs it makes it.
    if (info === null) return;
    const { opt_start_seq, opt_start_time, ...kept } = info.config;
    await ensureConsumer(keeperOf(durable), undefined);
    await removeConsumer(durable);
    // With the same mark in its description: it is no other one to those who publish, since nothing has left the stream.
    await jsm.consumers.add(STREAM_NAME, { ...kept, deliver_policy: DeliverPolicy.All });
    // Unless somebody else has taken the keeper away meanwhile.
    const wasKept = await removeConsumer(keeperOf(durable));
    if (!wasKept)
      await jsm.consumers.update(STREAM_NAME, durable, { description: describing(newMark(), isSaying(kept)) });
    logger.info({ stream: STREAM_NAME, durable }, 'made the NATS durable anew');
  }

  /** False when there was none. */
  async function removeConsumer(durable: string): Promise<boolean> {
    return (await found(jsm.consumers.delete(STREAM_NAME, durable), isConsumerNotFound)) !== null;
  }

  /** One after the other: a durable that two make at once has the settings of either. */
  function inTurn<T>(change: () => Promise<T>): Promise<T> {
    const changed = lastChange.then(change, change);
    lastChange = changed;
    return changed.catch((error: unknown) => {
      throw asEventLogError(error, servers);
    });
  }

  /** The stream first: a durable that is the same afterwards was there for all of what the stream has said. */
  async function ensureAll(): Promise<StreamPlace> {
    const { state, cluster } = await ensureStream();
    const made: string[] = [];
    for (const durable of durables) made.push(markOf((await ensureConsumer(durable, undefined)).config));
    incarnation = [id, ...made].join(' ');
    leader = cluster?.leader ?? '';
    return {
      incarnation,
      firstSequence: state.first_seq,
      lastSequence: state.last_seq,
    };
  }

  async function learn(): Promise<Readers> {
    const nowMs = performance.now();
    let own = Number.POSITIVE_INFINITY;
    let ownSeen = 0;
    const saying: string[] = [];
    for await (const info of jsm.consumers.list(STREAM_NAME)) {
      const { config } = info;
      const name = config.durable_name;
      const floor = floorOf(info);
      if (name !== undefined && isOther(name, config)) others.set(name, { mark: markOf(config), floor, seenMs: nowMs });
      else own = Math.min(own, floor);
      if (name !== undefined && durables.includes(name)) ownSeen++;
      if (name !== undefined && isSaying(config)) saying.push(name);
    }
    learnedMs = nowMs;
    for (const [name, { seenMs }] of others) if (nowMs - seenMs > FORGET_MS) others.delete(name);
    const floors = [...others.values()].map(({ floor }) => floor);
    const gone = [...others.values()].filter(({ seenMs }) => seenMs < nowMs);
    return {
      // A cluster leaves out of the list who does not answer.
      acknowledged: ownSeen < durables.length ? 0 : Math.min(own, ...floors),
      missed: Math.min(...gone.map(({ floor }) => floor)),
      others: Object.fromEntries([...others].map(([name, { mark }]) => [name, mark])),
      saying,
    };
  }

  function isOther(name: string, config: ConsumerConfig): boolean {
    return !durables.includes(name) && !name.endsWith(KEEPER_SUFFIX) && wrongWithConsumer(config) === null;
  }

  await inTurn(ensureAll);
  return {
    get id() {
      return id;
    },
    get incarnation() {
      return incarnation;
    },
    get leader() {
      return leader;
    },
    ensure: () => inTurn(ensureAll),
    learn: () => inTurn(learn),
    async look(durable) {
      const info = await jsm.consumers.info(STREAM_NAME, durable);
      return {
        waits: info.num_pending,
        unacknowledged: info.num_ack_pending,
        ackFloor: info.ack_floor.stream_seq,
        asked: info.num_waiting,
      };
    },
    ensureDurable: (durable, reading) =>
      inTurn(async () => {
        await ensureStream();
        const { ack_wait: ackWaitNanos } = (await ensureConsumer(durable, reading)).config;
        // Whoever was making this durable anew may have been killed in the middle of it.
        await removeConsumer(keeperOf(durable));
        return { ackWaitMs: ackWaitNanos === undefined ? DEFAULT_ACK_WAIT_MS : ackWaitNanos / NANOS_PER_MS };
      }),
    renewDurable: (durable) => inTurn(() => renew(durable)),
  };
}

function keeperOf(durable: string): string {
  return `${durable}${KEEPER_SUFFIX}`;
}

function floorOf({ num_ack_pending, delivered, ack_floor }: ConsumerInfo): number {
  return num_ack_pending === 0 ? delivered.stream_seq : ack_floor.stream_seq;
}

/** What was asked for, or `null` when the server says that there is no such thing. */
async function found<T>(asked: Promise<T>, isMissing: (error: unknown) => boolean): Promise<T | null> {
  try {
    return await asked;
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}
