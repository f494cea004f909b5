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

/** Nimbus `f54a036` (2024-09), `beacon_chain/networking/`. It never says Goodbye; its score begins at 300. */

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** `peer_scores.nim`. */
const NEW_PEER_SCORE = 300;
const PEER_SCORE_LOW_LIMIT = 0;
export const PEER_SCORE = { poorRequest: -50, invalidRequest: -500 } as const;
/** `eth2_network.nim`: SeenTable… times, during which it does not dial. */
const IRRELEVANT_NETWORK_MS = 24 * HOUR_MS;
const FAULT_MS = 10 * MINUTE_MS;
const PENALTY_MS = HOUR_MS;
const DEAD_PEER_MS = 5 * MINUTE_MS;
const RECONNECT_MS = MINUTE_MS;

const PACE: Pace = {
  ...USUAL_PACE,
  heartbeatMs: 30_000,
  dialMs: 5_000,
  /** `peer_protocol.nim`: onPeerConnected sends a Status on every connection, whoever dialled. */
  introduction: { asks: ['status'], together: true },
  /** Its handler of Goodbye only logs. */
  hangsUpOnGoodbye: false,
  /** `eth2_network.nim`: NoSpaceError. */
  whenFull: 'end',
};

/** `eth2_network.nim`: makeEth2Request; violations of the protocol cost ten times as much as connections that break. */
export function pointsFor({ how }: RequestEnd): number {
  if (how === 'answered') return 0;
  return how === 'malformed' ? PEER_SCORE.invalidRequest : PEER_SCORE.poorRequest;
}

export function nimbus({ pausePace }: Pick<RulesOptions, 'pausePace'>): Rules {
  const scores = new BoundedMap<number>();
  const seen = createBans();
  const bans = createBans();
  const score = (peerId: string) => scores.get(peerId) ?? NEW_PEER_SCORE;
  const keepAway = (peerId: string, ms: number, nowMs: number) => seen.ban(peerId, nowMs + ms * pausePace);

  const punish = (peerId: string, event: string, points: number, nowMs: number): Verdict => {
    const after = score(peerId) + points;
    scores.set(peerId, after);
    if (after >= PEER_SCORE_LOW_LIMIT) return { event, points };
    bans.ban(peerId, nowMs + PENALTY_MS * pausePace);
    keepAway(peerId, PENALTY_MS, nowMs);
    return { event, points, leave: { goodbye: null } };
  };

  return {
    pace: PACE,
    score,
    isBanned: (peerId, nowMs) => bans.isBanned(peerId, nowMs),
    receive: () => null,
    mayDial: (peerId, nowMs) => !seen.isBanned(peerId, nowMs),
    see(peerId, sighting, nowMs) {
      switch (sighting.type) {
        case 'own-request': {
          const points = pointsFor(sighting.end);
          if (points === 0) return NOTHING;
          const verdict = punish(peerId, `${sighting.asked} ${sighting.end.how}`, points, nowMs);
          if (sighting.asked !== 'status') return verdict;
          keepAway(peerId, FAULT_MS, nowMs);
          return { ...verdict, leave: { goodbye: null } };
        }
        case 'cut-request':
          return punish(peerId, `${sighting.asked} cut`, PEER_SCORE.poorRequest, nowMs);
        case 'irrelevant':
          bans.ban(peerId, nowMs + IRRELEVANT_NETWORK_MS);
          keepAway(peerId, IRRELEVANT_NETWORK_MS, nowMs);
          return { event: 'irrelevant', points: 0, leave: { goodbye: null } };
        case 'dial-failed':
          keepAway(peerId, DEAD_PEER_MS, nowMs);
          return NOTHING;
        case 'disconnected':
          // A peer that comes again begins anew.
          scores.delete(peerId);
          keepAway(peerId, RECONNECT_MS, nowMs);
          return NOTHING;
        default:
          return NOTHING;
      }
    },
    review: () => NOTHING,
  };
}
