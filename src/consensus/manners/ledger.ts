import { ASKED, type Asked, type Quota, strictest } from './quotas.ts';

/**
 * What each peer id has been asked, and when: across connections and whatever dials whom, since clients count by peer id.
 * All keep to the quotas of all clients, for a Status is asked before a peer has said which it is.
 */
export interface MannersLedger {
  /** The first moment from `nowMs` on at which the peer may be asked. */
  askableAtMs(peerId: string, asked: Asked, nowMs: number): number;
  /** Notes that it is asked now; false, and nothing noted, when that would exceed a quota. */
  tryAsk(peerId: string, asked: Asked, nowMs: number): boolean;
  /** What was asked so short a time ago that it matters. */
  recent(nowMs: number): readonly AskedOf[];
  /** Peers remembered. */
  readonly size: number;
}

/** When a peer was asked what, in Unix milliseconds, ascending. */
export interface AskedOf extends Readonly<Record<Asked, readonly number[]>> {
  readonly peerId: string;
}

export interface MannersLedgerOptions {
  /**
   * When the program was started. What the one before it asked is not known, so everybody counts as asked everything
   * once at this moment: that is what a visit that was cut off has asked.
   */
  readonly startedMs: number;
  /** Time runs so much faster on a devnet of short slots, for its nodes' quotas too; 1 on all networks whose clients are real. */
  readonly pace?: number;
  /** No more peers are remembered than this; those asked longest ago go first. */
  readonly maxPeers?: number;
  /** What an earlier run has asked, where that is known. */
  readonly remembered?: readonly AskedOf[];
}

/** What is sent at a distance may arrive that much closer together. */
const JITTER_MS = 1_000;
const DEFAULT_MAX_PEERS = 100_000;

type Times = Readonly<Record<Asked, readonly number[]>>;
type Limit = Quota & { readonly of: readonly Asked[] };

const LIMITS: readonly Limit[] = [
  ...ASKED.flatMap((asked) => strictest(asked).map((quota) => ({ ...quota, of: [asked] }))),
  ...strictest('all').map((quota) => ({ ...quota, of: ASKED })),
];
/** After that nothing is left that could matter. */
const MEMORY_MS = Math.max(...LIMITS.map(({ windowMs }) => windowMs)) + JITTER_MS;

export function createMannersLedger({
  startedMs,
  pace = 1,
  maxPeers = DEFAULT_MAX_PEERS,
  remembered = [],
}: MannersLedgerOptions): MannersLedger {
  /** In the order in which they were asked last. */
  const peers = new Map<string, Times>(remembered.map(({ peerId, ...times }) => [peerId, times]));
  const before: Times = { status: [startedMs], metadata: [startedMs], ping: [startedMs], goodbye: [startedMs] };

  const timesOf = (peerId: string): Times => peers.get(peerId) ?? before;

  function askableAtMs(peerId: string, asked: Asked, nowMs: number): number {
    const times = timesOf(peerId);
    return LIMITS.filter(({ of }) => of.includes(asked)).reduce((atMs, limit) => {
      const asks = limit.of.flatMap((kind) => times[kind]).sort((a, b) => b - a);
      const blocking = asks[limit.count - 1];
      return blocking === undefined ? atMs : Math.max(atMs, blocking + (limit.windowMs + JITTER_MS) / pace);
    }, nowMs);
  }

  function note(peerId: string, asked: Asked, nowMs: number): void {
    const recent = (asks: readonly number[]) => asks.filter((atMs) => nowMs - atMs < MEMORY_MS);
    const times = timesOf(peerId);
    const noted = Object.fromEntries(
      ASKED.map((kind) => [kind, kind === asked ? [...recent(times[kind]), nowMs] : recent(times[kind])]),
    ) as unknown as Times;
    peers.delete(peerId);
    peers.set(peerId, noted);
    for (const [oldest, { status, metadata, ping, goodbye }] of peers) {
      const lastMs = Math.max(...status, ...metadata, ...ping, ...goodbye);
      if (peers.size <= maxPeers && nowMs - lastMs < MEMORY_MS) break;
      peers.delete(oldest);
    }
  }

  return {
    askableAtMs,
    tryAsk(peerId, asked, nowMs) {
      if (askableAtMs(peerId, asked, nowMs) > nowMs) return false;
      note(peerId, asked, nowMs);
      return true;
    },
    recent(nowMs) {
      return [...peers].flatMap(([peerId, times]) => {
        const isOver = ASKED.every((asked) => times[asked].every((atMs) => nowMs - atMs >= MEMORY_MS));
        return isOver ? [] : [{ peerId, ...times }];
      });
    },
    get size() {
      return peers.size;
    },
  };
}
