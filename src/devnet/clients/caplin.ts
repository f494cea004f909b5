import { BoundedMap, createBans, rateLimiter } from '../limits.ts';
import { NOTHING, type Pace, type Rules, type RulesOptions, USUAL_PACE } from './rules.ts';

/** Caplin, the beacon client inside Erigon, `cl/sentinel/`. Its own Status to a peer is a handshake, in either direction. */

/** `handlers/rate_limiter.go` (`61e8dae`), by peer id and protocol. */
export const QUOTAS = {
  status: { requests: 5, perMs: 15_000 },
  metadata: { requests: 2, perMs: 10_000 },
  ping: { requests: 2, perMs: 10_000 },
  goodbye: { requests: 1, perMs: 10_000 },
} as const;
/** `handlers/rate_limiter.go`: punishmentDuration, of that protocol alone. */
const PUNISHMENT_MS = 30_000;
const SERVER_ERROR = 2;
/** `ban_on_connection_test.go` (`17f58aa`): TestRepeatedHandshakeFailuresStopOutboundDials, TestHandshakeFailuresRefuseConnectionsAtLimit. */
export const HANDSHAKE_FAILURES = { notDialled: 3, refused: 10 } as const;
/** `peers/peers_pool.go` (`86e5d5d`): the time that a ban is cached. */
const BAN_MS = 30 * 60_000;

const PACE: Pace = {
  ...USUAL_PACE,
  heartbeatMs: 30_000,
  /** `discovery.go`: listenForPeers takes the next random node without pause; 4.3 dials a second were seen. Fewer here, for the CPU. */
  dialMs: 1_000,
  introduction: { asks: ['status'], together: true },
  /** Nothing bounds inbound connections. */
  whenFull: 'prune-later',
};

/** The source of 2026: failed handshakes are counted, and a success sets the count back. */
export function caplin2026({ quotaPace }: Pick<RulesOptions, 'quotaPace'>): Rules {
  const failures = new BoundedMap<number>();
  const bans = createBans();
  const limiter = rateLimiter({ quotas: QUOTAS }, quotaPace);
  const punished = createBans();
  const count = (peerId: string) => failures.get(peerId) ?? 0;

  return {
    pace: PACE,
    score: (peerId) => 0 - count(peerId),
    isBanned: (peerId, nowMs) => bans.isBanned(peerId, nowMs),
    receive: (peerId, nowMs) => (bans.isBanned(peerId, nowMs) ? { type: 'leave', goodbye: null } : null),
    mayDial: (peerId, nowMs) => count(peerId) < HANDSHAKE_FAILURES.notDialled && !bans.isBanned(peerId, nowMs),
    see(peerId, sighting, nowMs) {
      switch (sighting.type) {
        case 'own-request': {
          if (sighting.asked !== 'status') return NOTHING;
          const { how } = sighting.end;
          failures.set(peerId, how === 'answered' ? 0 : count(peerId) + 1);
          if (how === 'answered') return NOTHING;
          const event = { event: `handshake ${how}`, points: -1 };
          if (count(peerId) < HANDSHAKE_FAILURES.refused) return event;
          bans.ban(peerId, nowMs + BAN_MS);
          return { ...event, leave: { goodbye: null } };
        }
        case 'request': {
          const { asked } = sighting;
          const key = `${peerId} ${asked}`;
          if (asked === 'blocks') return NOTHING;
          if (!punished.isBanned(key, nowMs) && limiter.admits(peerId, asked, nowMs)) return NOTHING;
          if (!punished.isBanned(key, nowMs)) punished.ban(key, nowMs + PUNISHMENT_MS * quotaPace);
          return { event: `${asked} rate limit`, points: 0, refuse: SERVER_ERROR };
        }
        case 'irrelevant':
          return { event: 'irrelevant', points: 0, leave: { goodbye: sighting.reason } };
        default:
          return NOTHING;
      }
    },
    review: () => NOTHING,
  };
}

/** The sentinel of 2024 (`b0a2654`): nothing is counted or limited, but a Status that fails closes all connections with the peer. */
export function caplin2024(): Rules {
  return {
    pace: PACE,
    score: () => 0,
    isBanned: () => false,
    receive: () => null,
    mayDial: () => true,
    see(_peerId, sighting) {
      switch (sighting.type) {
        case 'own-request':
          if (sighting.asked !== 'status' || sighting.end.how === 'answered') return NOTHING;
          return { event: `handshake ${sighting.end.how}`, points: 0, leave: { goodbye: null } };
        case 'irrelevant':
          return { event: 'irrelevant', points: 0, leave: { goodbye: null } };
        default:
          return NOTHING;
      }
    },
    review: () => NOTHING,
  };
}
