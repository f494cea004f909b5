import { GOODBYE } from '../goodbye.ts';
import { BoundedMap, createBans } from '../limits.ts';
import {
  NOTHING,
  type Pace,
  type RequestEnd,
  type Rules,
  type RulesOptions,
  USUAL_PACE,
  type Verdict,
} from './rules.ts';

/** Teku `90ed09b` (2026-08-23), paths below `networking/`, package names left out. */

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** `p2p/…/reputation/DefaultReputationManager.java`. */
const COOLDOWN_PERIOD_MS = 2 * MINUTE_MS;
const BAN_PERIOD_MS = 12 * HOUR_MS;
/** What a ban is worth in points here: LARGE_CHANGE, its threshold of disconnection. */
const LARGE_CHANGE = -10;
/** `p2p/…/peer/DisconnectReason.java`: those that are permanent, whoever says them. */
const PERMANENT: readonly number[] = [GOODBYE.irrelevantNetwork, GOODBYE.unableToVerifyNetwork];
/** `eth2/P2PConfig.java`: DEFAULT_PEER_REQUEST_LIMIT; `eth2/…/Eth2PeerFactory.java`: TIME_OUT. A tracker a connection. */
export const REQUEST_LIMIT = { requests: 100, perMs: MINUTE_MS } as const;
/** `eth2/P2PConfig.java`: outstanding pings. */
const OUTSTANDING_PINGS = 2;
const RATE_LIMITED = 1;

const PACE: Pace = {
  ...USUAL_PACE,
  heartbeatMs: 30_000,
  /** `p2p/…/ConnectionManager.java`: DISCOVERY_INTERVAL; it has other peers, so does not hurry. */
  dialMs: 30_000,
  /** `eth2/…/Eth2PeerManager.java`: onConnect sends a Status to a peer that was dialled, and waits for one otherwise. */
  introduction: { asks: ['status', 'metadata'], together: false },
  introductionDelayMs: 5,
  /** `p2p/…/ConnectionManager.java`: onPeerConnected. */
  whenFull: 'goodbye-129',
};

/**
 * Whether its own Status has failed with an RpcException, which is a REMOTE_FAULT and, said by itself, a ban: an error
 * code, or an answer that is malformed or ends within itself (`eth2/…/rpc/core/RpcResponseDecoder.java`, `complete`). No answer at
 * all is an InvalidRpcResponseException, which is none; nor are streams and connections that end otherwise.
 */
export function isRemoteFault({ how }: RequestEnd): boolean {
  return how === 'refused' || how === 'malformed' || how === 'incomplete';
}

export function teku({ quotaPace, pausePace }: RulesOptions): Rules {
  const bans = createBans();
  const banReason = new BoundedMap<number>();
  const coolDowns = createBans();
  const requests = new BoundedMap<readonly number[]>();
  const unanswered = new BoundedMap<number>();

  const ban = (peerId: string, reason: number, event: string, untilMs: number): Verdict => {
    bans.ban(peerId, untilMs);
    banReason.set(peerId, reason);
    return { event, points: LARGE_CHANGE, leave: { goodbye: reason } };
  };
  const admits = (connectionId: string, nowMs: number): boolean => {
    const fromMs = nowMs - REQUEST_LIMIT.perMs * quotaPace;
    const recent = (requests.get(connectionId) ?? []).filter((atMs) => atMs > fromMs);
    const isAdmitted = recent.length < REQUEST_LIMIT.requests;
    requests.set(connectionId, isAdmitted ? [...recent, nowMs] : recent);
    return isAdmitted;
  };

  return {
    pace: PACE,
    score: (peerId, nowMs) => (bans.isBanned(peerId, nowMs) ? LARGE_CHANGE : 0),
    isBanned: (peerId, nowMs) => bans.isBanned(peerId, nowMs),
    /** `p2p/…/PeerManager.java`: getInboundConnectionRejectionReason. */
    receive: (peerId, nowMs) =>
      bans.isBanned(peerId, nowMs) ? { type: 'leave', goodbye: banReason.get(peerId) ?? GOODBYE.fault } : null,
    mayDial: (peerId, nowMs) => !bans.isBanned(peerId, nowMs) && !coolDowns.isBanned(peerId, nowMs),
    see(peerId, sighting, nowMs) {
      switch (sighting.type) {
        case 'own-request': {
          const { asked, end } = sighting;
          const isPing = asked === 'ping';
          if (isPing) unanswered.set(peerId, end.how === 'answered' ? 0 : (unanswered.get(peerId) ?? 0) + 1);
          if (isPing && (unanswered.get(peerId) ?? 0) >= OUTSTANDING_PINGS) {
            unanswered.set(peerId, 0);
            return { event: 'pings unanswered', points: 0, leave: { goodbye: GOODBYE.fault } };
          }
          if (asked !== 'status' || end.how === 'answered') return NOTHING;
          if (!isRemoteFault(end)) return { leave: { goodbye: null } };
          return ban(peerId, GOODBYE.fault, `status ${end.how}`, nowMs + BAN_PERIOD_MS);
        }
        // `eth2/…/peers/DefaultEth2Peer.java`: Goodbye is not counted.
        case 'request':
          if (sighting.asked === 'goodbye' || admits(sighting.connectionId, nowMs)) return NOTHING;
          return {
            ...ban(peerId, GOODBYE.rateLimiting, 'rate limit', nowMs + COOLDOWN_PERIOD_MS * pausePace),
            refuse: RATE_LIMITED,
          };
        case 'goodbye':
          if (!PERMANENT.includes(sighting.reason)) return NOTHING;
          return ban(peerId, sighting.reason, `goodbye ${sighting.reason}`, nowMs + BAN_PERIOD_MS);
        case 'irrelevant':
          return ban(peerId, sighting.reason, 'irrelevant', nowMs + BAN_PERIOD_MS);
        case 'no-status':
          return { event: 'no status', points: 0, leave: { goodbye: GOODBYE.fault } };
        case 'dial-failed':
        case 'disconnected':
          coolDowns.ban(peerId, nowMs + COOLDOWN_PERIOD_MS * pausePace);
          return NOTHING;
        default:
          return NOTHING;
      }
    },
    review: () => NOTHING,
  };
}
