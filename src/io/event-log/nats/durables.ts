import { AckPolicy, type ConsumerConfig, type ConsumerInfo, DeliverPolicy, type JetStreamManager, nanos } from 'nats';
import { STREAM_NAME } from '../../../consensus/events.ts';
import type { Logger } from '../../logging/logger.ts';
import { checkConsumer } from './checks.ts';
import { describing, isSaying, markOf, newMark } from './durable-note.ts';
import { isConsumerNotFound } from './errors.ts';
import { found } from './found.ts';
import type { DurableLook } from './stall.ts';

/** The durables of the stream, one at a time: each call is a few questions to the server, which remembers everything. */
export interface NatsDurables {
  /**
   * Makes the durable unless it is there, and gives it the settings of whoever reads with it.
   * @param reading without it an existing one stays as it is
   * @throws EventLogConfigError when it is of another kind
   */
  ensure(durable: string, reading?: Reading): Promise<ConsumerInfo>;
  /**
   * Makes a durable anew, with the same settings: it then hands out everything that the stream has, acknowledged or
   * not. Nothing leaves the stream meanwhile, however far it gets.
   */
  renew(durable: string): Promise<void>;
  /** Removes what a renewal that was killed in the middle has left behind; the durable must be there. */
  tidy(durable: string): Promise<void>;
  look(durable: string): Promise<DurableLook>;
}

export interface Reading {
  /** So many messages may be unacknowledged. */
  readonly maxAckPending: number;
  /** Whether the consumer says what it has applied when it is asked (`applied.ts`): noted in the durable's description. */
  readonly saysApplied: boolean;
}

export interface NatsDurablesOptions {
  /** Of durables that are made here. */
  readonly ackWaitMs?: number | undefined;
  readonly logger: Logger;
}

/** The server's default, which the Go program's durables have. */
const DEFAULT_MAX_ACK_PENDING = 1000;
const DEFAULT_ACK_WAIT_MS = 30_000;
const NOT_READ_YET: Reading = { maxAckPending: DEFAULT_MAX_ACK_PENDING, saysApplied: false };
const NANOS_PER_MS = 1_000_000;
/** Of the durable that keeps everything in the stream while the one before this is made anew. */
const KEEPER_SUFFIX = '-renewing';

export function natsDurables(
  { consumers }: Pick<JetStreamManager, 'consumers'>,
  { ackWaitMs = DEFAULT_ACK_WAIT_MS, logger }: NatsDurablesOptions,
): NatsDurables {
  const find = (durable: string) => found(consumers.info(STREAM_NAME, durable), isConsumerNotFound);

  async function ensure(durable: string, reading?: Reading): Promise<ConsumerInfo> {
    const info = await find(durable);
    if (info === null) return add(durable, reading ?? NOT_READ_YET);
    const { config } = info;
    checkConsumer(config);
    if (reading === undefined) return info;
    const { maxAckPending: max_ack_pending, saysApplied } = reading;
    if (config.max_ack_pending === max_ack_pending && isSaying(config) === saysApplied) return info;
    const description = describing(markOf(config), saysApplied);
    return consumers.update(STREAM_NAME, durable, { max_ack_pending, description });
  }

  async function add(durable: string, { maxAckPending, saysApplied }: Reading): Promise<ConsumerInfo> {
    const info = await consumers.add(STREAM_NAME, {
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

  /** False when there was none. */
  async function remove(durable: string): Promise<boolean> {
    return (await found(consumers.delete(STREAM_NAME, durable), isConsumerNotFound)) !== null;
  }

  /** What no durable waits for leaves the stream, so that another one has to wait while this one is missing. */
  async function renew(durable: string): Promise<void> {
    const info = await find(durable);
    // An earlier attempt came as far as removing it; whoever needs it makes it.
    if (info === null) return;
    const { opt_start_seq, opt_start_time, ...kept } = info.config;
    await ensure(keeperOf(durable));
    await remove(durable);
    // With the same mark in its description: it is no other one to those who publish, since nothing has left the stream.
    await consumers.add(STREAM_NAME, { ...kept, deliver_policy: DeliverPolicy.All });
    // Unless somebody else has taken the keeper away meanwhile.
    const wasKept = await remove(keeperOf(durable));
    if (!wasKept) await consumers.update(STREAM_NAME, durable, { description: describing(newMark(), isSaying(kept)) });
    logger.info({ stream: STREAM_NAME, durable }, 'made the NATS durable anew');
  }

  return {
    ensure,
    renew,
    async tidy(durable) {
      await remove(keeperOf(durable));
    },
    async look(durable) {
      const info = await consumers.info(STREAM_NAME, durable);
      return {
        waits: info.num_pending,
        unacknowledged: info.num_ack_pending,
        ackFloor: info.ack_floor.stream_seq,
        asked: info.num_waiting,
      };
    },
  };
}

function keeperOf(durable: string): string {
  return `${durable}${KEEPER_SUFFIX}`;
}

/** Whether it only stands in for a durable that is being made anew. */
export function isKeeper(durable: string): boolean {
  return durable.endsWith(KEEPER_SUFFIX);
}

export function ackWaitMsOf({ ack_wait: ackWaitNanos }: ConsumerConfig): number {
  return ackWaitNanos === undefined ? DEFAULT_ACK_WAIT_MS : ackWaitNanos / NANOS_PER_MS;
}
