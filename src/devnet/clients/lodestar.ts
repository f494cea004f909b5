import { GOODBYE } from '../goodbye.ts';
import { rateLimiter } from '../limits.ts';
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

/** Lodestar 1.44.0, paths below `packages/beacon-node/src/network/`. */

const MINUTE_MS = 60_000;

/** `peers/score/store.ts`: peerActionScore. */
export const ACTION = { fatal: -200, lowTolerance: -10, midTolerance: -5, highTolerance: -1 } as const;
/** `peers/score/constants.ts`. */
const MIN_SCORE = -100;
const MIN_SCORE_BEFORE_DISCONNECT = -20;
const MIN_SCORE_BEFORE_BAN = -50;
const SCORE_HALF_LIFE_MS = 10 * MINUTE_MS;
const COOL_DOWN_BEFORE_DECAY_MS = 30 * MINUTE_MS;

/** `reqresp/rateLimit.ts`: rateLimitQuotas, by peer id over all its connections. */
export const QUOTAS = {
  status: { requests: 5, perMs: 15_000 },
  goodbye: { requests: 1, perMs: 10_000 },
  ping: { requests: 2, perMs: 10_000 },
  metadata: { requests: 2, perMs: 5_000 },
} as const;
/** `reqresp` package, rate limited requests are answered as server errors. */
const SERVER_ERROR = 2;

/** `peers/score/score.ts`: applyReconnectionCoolDown, minutes by what ended the connection. */
const COOL_DOWN_MINUTES: Readonly<Record<number, number>> = {
  [GOODBYE.clientShutdown]: 60,
  [GOODBYE.irrelevantNetwork]: 240,
  [GOODBYE.fault]: 60,
  [GOODBYE.tooManyPeers]: 5,
};
const INBOUND_DISCONNECT_MINUTES = 5;

const PACE: Pace = {
  ...USUAL_PACE,
  /** `peers/peerManager.ts`: HEARTBEAT_INTERVAL_MS, at which peers are looked for as well. */
  heartbeatMs: 30_000,
  dialMs: 30_000,
  /** `peers/discover.ts`: handleDiscoveredPeer dials while peers are wanted. */
  dialsAtOnce: true,
  /** `peers/peerManager.ts`: trackLibp2pConnection asks both at once. */
  introduction: { asks: ['ping', 'status'], together: true },
  whenFull: 'prune-later',
};

/** `reqresp/score.ts`: onOutgoingReqRespError. What fails before a protocol is agreed on is a DIAL_ERROR. */
export function actionFor(asked: Asked, end: RequestEnd): number {
  switch (end.how) {
    case 'not-spoken':
      return asked === 'ping' ? ACTION.fatal : ACTION.lowTolerance;
    case 'fin-in-negotiation':
    case 'reset-in-negotiation':
    case 'negotiation-timeout':
    case 'malformed':
      return ACTION.lowTolerance;
    case 'disconnected':
      return end.negotiated ? 0 : ACTION.lowTolerance;
    case 'timeout':
      if (asked === 'goodbye') return 0;
      return asked === 'blocks' ? ACTION.midTolerance : ACTION.lowTolerance;
    case 'refused':
      return actionForCode(end.code);
    case 'answered':
    case 'empty':
    case 'incomplete':
    case 'reset':
      return 0;
  }
}

function actionForCode(code: number): number {
  if (code === 1) return ACTION.lowTolerance;
  if (code === 2) return ACTION.midTolerance;
  // RESOURCE_UNAVAILABLE and RESP_RATE_LIMITED are not held against anybody.
  return code === 3 || code === 139 ? 0 : ACTION.highTolerance;
}

export function lodestar({ quotaPace, pausePace }: RulesOptions): Rules {
  const scores = decayingScores({
    halfLifeMs: SCORE_HALF_LIFE_MS,
    lowest: MIN_SCORE,
    banAt: MIN_SCORE_BEFORE_BAN,
    banMs: COOL_DOWN_BEFORE_DECAY_MS,
  });
  const limiter = rateLimiter({ quotas: QUOTAS }, quotaPace);

  const punish = (peerId: string, event: string, points: number, nowMs: number): Verdict => {
    if (points === 0) return NOTHING;
    scores.add(peerId, points, nowMs);
    return { event, points };
  };
  const coolDown = (peerId: string, minutes: number, nowMs: number) =>
    scores.rest(peerId, nowMs + minutes * MINUTE_MS * pausePace);

  return {
    pace: PACE,
    score: (peerId, nowMs) => scores.at(peerId, nowMs),
    isBanned: (peerId, nowMs) => scores.at(peerId, nowMs) <= MIN_SCORE_BEFORE_BAN,
    receive: () => null,
    /** `peers/discover.ts`: handleDiscoveredPeer. */
    mayDial: (peerId, nowMs) =>
      scores.at(peerId, nowMs) > MIN_SCORE_BEFORE_DISCONNECT && !scores.isResting(peerId, nowMs),
    see(peerId, sighting, nowMs) {
      switch (sighting.type) {
        case 'own-request': {
          const { asked, end } = sighting;
          return punish(peerId, `${asked} ${end.how}`, actionFor(asked, end), nowMs);
        }
        // `reqresp/ReqRespBeaconNode.ts`: onRateLimit.
        case 'request': {
          const { asked } = sighting;
          if (asked === 'blocks' || limiter.admits(peerId, asked, nowMs)) return NOTHING;
          return { ...punish(peerId, `${asked} rate limit`, ACTION.fatal, nowMs), refuse: SERVER_ERROR };
        }
        case 'irrelevant':
          return { event: 'irrelevant', points: 0, leave: { goodbye: sighting.reason } };
        // Those who end connections that they have made are left alone for a while.
        case 'disconnected':
          if (sighting.said !== null) {
            const minutes = COOL_DOWN_MINUTES[sighting.said];
            if (minutes !== undefined) coolDown(peerId, minutes, nowMs);
          } else if (sighting.direction === 'inbound') coolDown(peerId, INBOUND_DISCONNECT_MINUTES, nowMs);
          return NOTHING;
        default:
          return NOTHING;
      }
    },
    /** `peers/peerManager.ts`: heartbeat; `peers/utils/prioritizePeers.ts` prunes those without duties first. */
    review(peerId, { hasLongLivedSubnets, atTarget }, nowMs) {
      const score = scores.at(peerId, nowMs);
      if (score <= MIN_SCORE_BEFORE_BAN) return { event: 'banned', points: 0, leave: { goodbye: GOODBYE.banned } };
      if (score <= MIN_SCORE_BEFORE_DISCONNECT) {
        return { event: 'score too low', points: 0, leave: { goodbye: GOODBYE.badScore } };
      }
      if (!atTarget || hasLongLivedSubnets) return NOTHING;
      return { event: 'pruned', points: 0, leave: { goodbye: GOODBYE.tooManyPeers } };
    },
  };
}
