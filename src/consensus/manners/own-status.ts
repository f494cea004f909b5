import type { Client } from '../client.ts';
import type { NetworkClock } from '../clock.ts';
import { type Status, ZERO_ROOT } from '../containers.ts';
import { createFinalityView } from '../finality.ts';
import { acceptedDigests, forkStepAt, type Network } from '../network.ts';
import { agreedHeads } from './agreed-heads.ts';

/**
 * What we say of our own chain, without having one, so that nobody takes us for somebody to sync from or to ask for a block.
 * Each peer is told its own head, which it has and need not ask for, and no finality: then Lighthouse (sync/peer_sync_info.rs)
 * finds us behind, Teku (PeerChainValidator.java) has nothing to check, and Prysm, Lodestar and Nimbus have nothing to gain.
 * A finalized epoch ahead of its own would be a ban at a Teku, and an invitation at all others.
 */
export interface OwnStatus {
  /** Takes in what a peer has said of its chain, if that is ours. */
  heard(peerId: string, status: Status, nowMs: number): void;
  /**
   * What the peer is told.
   * @param client as far as it is known
   * @returns `null` when there is nothing that it would not hold against us; then it is not asked for its Status
   */
  tell(peerId: string, client: Client, nowMs: number): Status | null;
  /** Whether the peer's own head is known, and not too old to be told. */
  knows(peerId: string, nowMs: number): boolean;
}

/** A head that is older may have been pruned, and would be asked for (Nimbus sync_overseer2.nim). */
const FRESH_EPOCHS = 2;
/** Peers whose head is remembered, by who was heard last. */
const MAX_PEERS = 20_000;
/** In the first epochs nothing is final, and zeros would name a head near that of the peers, which they ask for. */
const YOUNG_EPOCHS = 4;

interface Heard {
  readonly status: Status;
  readonly atMs: number;
}

export function createOwnStatus(network: Network, clock: NetworkClock): OwnStatus {
  const finality = createFinalityView(clock);
  const heads = agreedHeads();
  const lastOf = new Map<string, Heard>();
  const isYoung = (nowMs: number) => clock.epochAt(nowMs) < YOUNG_EPOCHS;

  function told(nowMs: number, claim: Partial<Status>): Status {
    const { headSlot = 0 } = claim;
    return {
      forkDigest: forkStepAt(network, clock.epochAt(nowMs)).digest,
      finalizedRoot: ZERO_ROOT,
      finalizedEpoch: 0,
      headRoot: ZERO_ROOT,
      headSlot,
      ...claim,
      // Nothing before the head can be had from us, and at the head there is nothing either.
      earliestAvailableSlot: headSlot,
    };
  }

  function freshOf(peerId: string, nowMs: number): Status | null {
    const heard = lastOf.get(peerId);
    return heard === undefined || nowMs - heard.atMs > FRESH_EPOCHS * clock.epochMs ? null : heard.status;
  }

  /** Grandine holds no finality against us where it has slot 0 (`check_status`), so it gets its own, or what others agree on. */
  function tellGrandine(own: Status | null, nowMs: number): Status | null {
    if (own !== null) {
      const { finalizedRoot, finalizedEpoch, headRoot, headSlot } = own;
      return told(nowMs, { finalizedRoot, finalizedEpoch, headRoot, headSlot });
    }
    if (isYoung(nowMs)) return told(nowMs, heads.best(clock.slotAt(nowMs)) ?? {});
    const checkpoint = finality.agreed(nowMs);
    if (checkpoint === null) return null;
    const headSlot = checkpoint.epoch * network.slotsPerEpoch;
    return told(nowMs, {
      finalizedRoot: checkpoint.root,
      finalizedEpoch: checkpoint.epoch,
      headRoot: checkpoint.root,
      headSlot,
    });
  }

  return {
    heard(peerId, status, nowMs) {
      const isOurs = acceptedDigests(network, clock.epochAt(nowMs)).has(status.forkDigest);
      if (!isOurs || status.headSlot > clock.slotAt(nowMs)) return;
      finality.heard(peerId, status, nowMs);
      heads.heard(peerId, status);
      lastOf.delete(peerId);
      lastOf.set(peerId, { status, atMs: nowMs });
      if (lastOf.size <= MAX_PEERS) return;
      const [oldest] = lastOf.keys();
      if (oldest !== undefined) lastOf.delete(oldest);
    },
    knows: (peerId, nowMs) => freshOf(peerId, nowMs) !== null,
    tell(peerId, client, nowMs) {
      const own = freshOf(peerId, nowMs);
      if (client === 'Grandine') return tellGrandine(own, nowMs);
      if (own !== null) return told(nowMs, { headRoot: own.headRoot, headSlot: own.headSlot });
      return told(nowMs, isYoung(nowMs) ? (heads.best(clock.slotAt(nowMs)) ?? {}) : {});
    },
  };
}
