import { GOODBYE } from '../goodbye.ts';
import { BoundedMap, rateLimiter } from '../limits.ts';
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

/** Prysm 7.1.2 (`7950a24`) where it was run, else `7ac522d`, paths below `beacon-chain/`. Its score counts bad responses. */

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** "peer exceeded bad responses threshold: got 5, threshold 5" in 7.1.2; `p2p/peers/scorers/bad_responses.go` had 6. */
export const BAD_RESPONSES_THRESHOLD = 5;
/** `p2p/peers/scorers/bad_responses.go`: DefaultBadResponsesDecayInterval, at which one is forgiven. */
const DECAY_INTERVAL_MS = HOUR_MS;

/** `sync/rpc_goodbye.go`: backOffTime, by the reason that the peer gave. */
export const BACK_OFF_MS: Readonly<Record<number, number>> = {
  [GOODBYE.clientShutdown]: HOUR_MS,
  [GOODBYE.irrelevantNetwork]: 24 * HOUR_MS,
  [GOODBYE.fault]: 2 * MINUTE_MS,
  [GOODBYE.unableToVerifyNetwork]: 24 * HOUR_MS,
  [GOODBYE.tooManyPeers]: 5 * MINUTE_MS,
  [GOODBYE.badScore]: 2 * HOUR_MS,
  [GOODBYE.banned]: 2 * HOUR_MS,
};

/** `sync/rate_limiter.go`: newRateLimiter, leaky buckets by peer id. */
export const QUOTAS = {
  status: { requests: 5, perMs: 5_000 },
  metadata: { requests: 5, perMs: 5_000 },
  ping: { requests: 5, perMs: 5_000 },
  goodbye: { requests: 1, perMs: 1_000 },
} as const;
const INVALID_REQUEST = 1;

const PACE: Pace = {
  ...USUAL_PACE,
  /** `sync/rpc_status.go`: maintainPeerStatuses runs twice an epoch of 384 s. */
  heartbeatMs: 192_000,
  /** `p2p/discovery.go` looks without pause; `p2p/peers/status.go`: RandomizeBackOff, 0.1 to 5 s for each peer. */
  dialMs: 2_500,
  /** `sync/rpc_status.go`: reValidatePeer; MetaData is asked for after the ping. */
  introduction: { asks: ['status', 'ping', 'metadata'], together: false },
  introductionDelayMs: 5,
  /** `p2p/connection_gater.go`: ipLimit 4 in 30 s, ipBurst 8. */
  dialsPerAddress: { requests: 8, perMs: 60_000 },
  /** `p2p/connection_gater.go`: InterceptAccept. */
  whenFull: 'end-before-noise',
  /** go-libp2p-pubsub, handleDeadPeers; after 4 of 93 visits, 8 to 840 ms later. */
  gossipRedial: { share: 4 / 93, withinMs: 840 },
  /** quic-go drops what has not been read when the connection is closed; a busy node had lost 18 of 58 Goodbyes. */
  quicReadDelayMs: 5,
};

/** `sync/rpc_status.go`, `rpc_metadata.go`, `rpc_ping.go`: what increments the count of bad responses. */
export function isBadResponse(asked: Asked, end: RequestEnd): boolean {
  if (end.how === 'answered' || asked === 'blocks' || asked === 'goodbye') return false;
  // sendPingRequest passes over errors of the stream.
  if (asked === 'ping') return end.how === 'refused' || end.how === 'malformed';
  return true;
}

export function prysm({ quotaPace, pausePace }: RulesOptions): Rules {
  const limiter = rateLimiter({ quotas: QUOTAS }, quotaPace);
  const { count, increment } = badResponses();
  const nextDialMs = new BoundedMap<number>();
  const isBanned = (peerId: string, nowMs: number) => count(peerId, nowMs) >= BAD_RESPONSES_THRESHOLD;

  return {
    // Its heartbeat goes by epochs.
    pace: { ...PACE, heartbeatMs: PACE.heartbeatMs * pausePace },
    score: count,
    isBanned,
    /** `p2p/handshake.go`: a bad peer hears Goodbye 3 as soon as it is connected. */
    receive: (peerId, nowMs) => (isBanned(peerId, nowMs) ? { type: 'leave', goodbye: GOODBYE.fault } : null),
    mayDial: (peerId, nowMs) => !isBanned(peerId, nowMs) && nowMs >= (nextDialMs.get(peerId) ?? 0),
    see(peerId, sighting, nowMs) {
      switch (sighting.type) {
        case 'own-request': {
          const { asked, end } = sighting;
          if (!isBadResponse(asked, end)) return NOTHING;
          const verdict = increment(peerId, `${asked} ${end.how}`, nowMs);
          // `p2p/handshake.go`: a handshake that fails ends with Goodbye 3.
          return asked === 'status' ? { ...verdict, leave: { goodbye: GOODBYE.fault } } : verdict;
        }
        // `sync/rpc.go`: registerRPC, whose handlers of requests without a body decode nothing.
        case 'cut-request':
          return sighting.asked === 'metadata' ? NOTHING : increment(peerId, `${sighting.asked} cut`, nowMs);
        case 'request': {
          const { asked } = sighting;
          if (isBanned(peerId, nowMs)) return { refuse: INVALID_REQUEST, leave: { goodbye: GOODBYE.banned } };
          if (asked === 'blocks' || limiter.admits(peerId, asked, nowMs)) return NOTHING;
          return { ...increment(peerId, `${asked} rate limit`, nowMs), refuse: INVALID_REQUEST };
        }
        case 'goodbye': {
          const backOffMs = BACK_OFF_MS[sighting.reason];
          if (backOffMs !== undefined) nextDialMs.set(peerId, nowMs + backOffMs * pausePace);
          return NOTHING;
        }
        case 'irrelevant': {
          const isFork = sighting.reason === GOODBYE.irrelevantNetwork;
          const verdict = isFork ? { event: 'irrelevant', points: 0 } : increment(peerId, 'status invalid', nowMs);
          return { ...verdict, leave: { goodbye: sighting.reason } };
        }
        // `p2p/handshake.go`: timeForStatus.
        case 'no-status':
          return { event: 'no status', points: 0, leave: { goodbye: GOODBYE.fault } };
        // `p2p/service.go`: connectWithPeer.
        case 'dial-failed':
          return increment(peerId, 'dial failed', nowMs);
        default:
          return NOTHING;
      }
    },
    review(peerId, { direction, atTarget }, nowMs) {
      if (isBanned(peerId, nowMs)) return { event: 'banned', points: 0, leave: { goodbye: GOODBYE.banned } };
      if (!atTarget || direction === 'outbound') return NOTHING;
      return { event: 'pruned', points: 0, leave: { goodbye: GOODBYE.tooManyPeers } };
    },
  };
}

/** Counts bad responses by peer id, and forgives one an hour. */
function badResponses() {
  /** What is counted, and since when the next hour of forgiveness runs. */
  const bad = new BoundedMap<{ readonly count: number; readonly sinceMs: number }>();
  const count = (peerId: string, nowMs: number): number => {
    const entry = bad.get(peerId);
    if (entry === undefined) return 0;
    return Math.max(0, entry.count - Math.floor((nowMs - entry.sinceMs) / DECAY_INTERVAL_MS));
  };
  const increment = (peerId: string, event: string, nowMs: number): Verdict => {
    const before = count(peerId, nowMs);
    const forgiven = (bad.get(peerId)?.count ?? 0) - before;
    const sinceMs = before === 0 ? nowMs : (bad.get(peerId)?.sinceMs ?? nowMs) + forgiven * DECAY_INTERVAL_MS;
    bad.set(peerId, { count: before + 1, sinceMs });
    return { event, points: 1 };
  };
  return { count, increment };
}
