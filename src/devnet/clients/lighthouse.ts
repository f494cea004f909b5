import { GOODBYE } from '../goodbye.ts';
import { BoundedMap } from '../limits.ts';
import {
  type Asked,
  NOTHING,
  type Pace,
  type RequestEnd,
  type Rules,
  type RulesOptions,
  USUAL_PACE,
  type Verdict,
} from './rules.ts';
import { decayingScores } from './score.ts';

/**
 * Lighthouse 8.0.1 (`ced49dd`), paths below `beacon_node/lighthouse_network/src/`. It answers what is over a quota later
 * and for nothing (`rpc/response_limiter.rs`); only a third request at a time is refused.
 */

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** `peer_manager/peerdb/score.rs`: PeerAction and the constants above it. */
export const ACTION = { fatal: -100, lowTolerance: -10, midTolerance: -5, highTolerance: -1 } as const;
const MIN_SCORE = -100;
const MIN_SCORE_BEFORE_DISCONNECT = -20;
const MIN_SCORE_BEFORE_BAN = -50;
const SCORE_HALF_LIFE_MS = 10 * MINUTE_MS;
const BANNED_BEFORE_DECAY_MS = 12 * HOUR_MS;
/** `peer_manager/mod.rs`: PEER_RECONNECTION_TIMEOUT, for those who were disconnected while it had enough peers. */
const PEER_RECONNECTION_TIMEOUT_MS = 10 * MINUTE_MS;

const RATE_LIMITED = 139;
const NEEDED: readonly Asked[] = ['status', 'ping', 'metadata'];

export const PACE: Pace = {
  ...USUAL_PACE,
  /** `peer_manager/mod.rs`: HEARTBEAT_INTERVAL. */
  heartbeatMs: 30_000,
  /** `peer_manager/mod.rs`: peers_discovered searches again at once; 27 dials a minute were seen with nobody else to dial. */
  dialMs: 2_000,
  /** `network/src/service.rs`: PeerConnectedOutgoing sends a Status; the first ping comes after 15 s. */
  introduction: { asks: ['status'], together: true },
  /** The router's thread is between the event and the stream; 4 to 11 ms were seen. */
  introductionDelayMs: 11,
  /** `rpc/handler.rs`: IO_ERROR_RETRIES is 3, the first try among them. */
  retriesOnReset: 2,
  /** `service/mod.rs`: with_max_established_per_peer. */
  connectionsPerPeer: 1,
  /** `peer_manager/peerdb.rs`: BANNED_PEERS_PER_IP_THRESHOLD says more than 5; five were enough. */
  bannedPeersPerAddress: 5,
  /** `peer_manager/network_behaviour.rs`: handle_established_inbound_connection. */
  whenFull: 'end-after-noise',
  asksForBlocks: true,
  /** 327 of 6,522 connections that were aborted cost a point. */
  seesResetsAtEnd: 327 / 6_522,
  /** 11 of 1,271 connections that were closed as soon as they were dialled cost five points. */
  seesAnswersEndAtEnd: 11 / 1_271,
};

/** `peer_manager/mod.rs`: handle_rpc_error, and what its `rpc/handler.rs` makes of the ends of streams. */
export function actionFor(asked: Asked, end: RequestEnd): number {
  switch (end.how) {
    // multistream-select 0.13, dialer_select.rs: the end of a stream in negotiation is NegotiationError::Failed.
    case 'not-spoken':
    case 'fin-in-negotiation':
      return NEEDED.includes(asked) ? ACTION.fatal : 0;
    case 'negotiation-timeout':
      return ACTION.lowTolerance;
    case 'reset-in-negotiation':
    case 'reset':
      return ACTION.highTolerance;
    // Of blocks that is an end without blocks: NotEnoughResponsesReturned, or a batch that is made again.
    case 'empty':
      return asked === 'blocks' ? ACTION.lowTolerance : ACTION.midTolerance;
    case 'incomplete':
      return ACTION.midTolerance;
    case 'malformed':
      return ACTION.fatal;
    case 'timeout':
      if (asked === 'ping') return ACTION.lowTolerance;
      return asked === 'blocks' ? ACTION.midTolerance : 0;
    case 'refused':
      return actionForCode(asked, end.code);
    case 'answered':
    case 'disconnected':
      return 0;
  }
}

function actionForCode(asked: Asked, code: number): number {
  switch (code) {
    case 1:
      return ACTION.lowTolerance;
    case 2:
      return ACTION.midTolerance;
    case 3:
      return ACTION.fatal;
    case RATE_LIMITED:
      return asked === 'ping' || asked === 'blocks' ? ACTION.midTolerance : ACTION.lowTolerance;
    default:
      return ACTION.highTolerance;
  }
}

export function lighthouse({ pausePace }: Pick<RulesOptions, 'pausePace'>): Rules {
  const scores = decayingScores({
    halfLifeMs: SCORE_HALF_LIFE_MS,
    lowest: MIN_SCORE,
    banAt: MIN_SCORE_BEFORE_BAN,
    banMs: BANNED_BEFORE_DECAY_MS,
  });
  /** Swarm-level refusals of those that were pruned. */
  const refusedUntil = new BoundedMap<number>();
  const isBanned = (peerId: string, nowMs: number) => scores.at(peerId, nowMs) <= MIN_SCORE_BEFORE_BAN;
  const isRefused = (peerId: string, nowMs: number) => nowMs < (refusedUntil.get(peerId) ?? 0);

  const punish = (peerId: string, event: string, points: number, nowMs: number, goodbye?: number): Verdict => {
    if (points === 0) return NOTHING;
    const before = scores.at(peerId, nowMs);
    const after = scores.add(peerId, points, nowMs);
    const crosses = (limit: number) => before > limit && after <= limit;
    const leaves = crosses(MIN_SCORE_BEFORE_DISCONNECT) || crosses(MIN_SCORE_BEFORE_BAN);
    return { event, points, ...(leaves ? { leave: { goodbye: goodbye ?? GOODBYE.badScore } } : {}) };
  };

  return {
    pace: PACE,
    score: (peerId, nowMs) => scores.at(peerId, nowMs),
    isBanned,
    receive: (peerId, nowMs) => (isBanned(peerId, nowMs) || isRefused(peerId, nowMs) ? { type: 'end' } : null),
    /** `peer_manager/peerdb.rs`: should_dial. */
    mayDial: (peerId, nowMs) => scores.at(peerId, nowMs) > MIN_SCORE_BEFORE_DISCONNECT && !isRefused(peerId, nowMs),
    see(peerId, sighting, nowMs) {
      switch (sighting.type) {
        case 'own-request': {
          const { asked, end } = sighting;
          return punish(peerId, `${asked} ${end.how}`, actionFor(asked, end), nowMs);
        }
        // goodbye_peer reports a fatal action, whatever the reason.
        case 'irrelevant':
          return punish(peerId, 'irrelevant', ACTION.fatal, nowMs, sighting.reason);
        default:
          return NOTHING;
      }
    },
    /** prune_excess_peers: those without a long-lived subnet go first. */
    review(peerId, { hasLongLivedSubnets, atTarget }, nowMs) {
      if (!atTarget || hasLongLivedSubnets) return NOTHING;
      refusedUntil.set(peerId, nowMs + PEER_RECONNECTION_TIMEOUT_MS * pausePace);
      return { event: 'pruned', points: 0, leave: { goodbye: GOODBYE.tooManyPeers } };
    },
  };
}
