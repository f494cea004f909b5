import type { ConsumerConfig, ConsumerInfo } from 'nats';
import { wrongWithConsumer } from './checks.ts';
import { isSaying, markOf } from './durable-note.ts';
import { isKeeper } from './durables.ts';

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

/**
 * Remembers the durables of other consumers from one look at the stream to the next. One that is gone still counts for a
 * while, for its consumer may make it again, and then wants what it has not read.
 */
export interface ReadersBook {
  /** @param list all durables that the stream has at `nowMs`, on a clock that only goes forward */
  learn(list: AsyncIterable<ConsumerInfo> | Iterable<ConsumerInfo>, nowMs: number): Promise<Readers>;
  /** Durables of other consumers that were there at the last look. One that was gone before was removed on purpose. */
  othersAtLast(): readonly string[];
}

interface Other {
  readonly mark: string;
  readonly floor: number;
  readonly seenMs: number;
}

/** So long after it was seen last, a durable of another consumer is taken for removed on purpose. */
const FORGET_MS = 600_000;

/** @param own durables that are not of others */
export function readersBook(own: readonly string[]): ReadersBook {
  const others = new Map<string, Other>();
  let learnedMs = 0;

  const isOther = (name: string, config: ConsumerConfig) =>
    !own.includes(name) && !isKeeper(name) && wrongWithConsumer(config) === null;

  return {
    async learn(list, nowMs) {
      // All of it first: from a list that breaks off nobody learns who is gone.
      const infos: ConsumerInfo[] = [];
      for await (const info of list) infos.push(info);
      let floor = Number.POSITIVE_INFINITY;
      let ownSeen = 0;
      const saying: string[] = [];
      for (const info of infos) {
        const { config } = info;
        const name = config.durable_name;
        if (name !== undefined && isOther(name, config)) {
          others.set(name, { mark: markOf(config), floor: floorOf(info), seenMs: nowMs });
        } else floor = Math.min(floor, floorOf(info));
        if (name !== undefined && own.includes(name)) ownSeen++;
        if (name !== undefined && isSaying(config)) saying.push(name);
      }
      learnedMs = nowMs;
      for (const [name, { seenMs }] of others) if (nowMs - seenMs > FORGET_MS) others.delete(name);
      const gone = [...others.values()].filter(({ seenMs }) => seenMs < nowMs);
      return {
        // A cluster leaves out of the list who does not answer.
        acknowledged: ownSeen < own.length ? 0 : Math.min(floor, lowestOf(others.values())),
        missed: lowestOf(gone),
        others: Object.fromEntries([...others].map(([name, { mark }]) => [name, mark])),
        saying,
      };
    },
    othersAtLast: () => [...others].filter(([, { seenMs }]) => seenMs === learnedMs).map(([name]) => name),
  };
}

/** Infinite when there is none. */
function lowestOf(others: Iterable<Other>): number {
  return Math.min(...Array.from(others, ({ floor }) => floor));
}

function floorOf({ num_ack_pending, delivered, ack_floor }: ConsumerInfo): number {
  return num_ack_pending === 0 ? delivered.stream_seq : ack_floor.stream_seq;
}
