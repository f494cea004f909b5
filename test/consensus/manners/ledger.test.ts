import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createMannersLedger } from '../../../src/consensus/manners/ledger.ts';
import { ASKED, type Asked } from '../../../src/consensus/manners/quotas.ts';

const LONG_AGO = -1e9;

/** When the clock shows `ms`, the client counts what arrives; true when it would not stand for it. */
type Limiter = (asked: Asked, ms: number) => boolean;

/**
 * The limiters as the clients have them, written from their sources and not from ours.
 * Lodestar reqresp/src/rate_limiter/rateLimiterGRCA.ts and Lighthouse lighthouse_network/src/rpc/rate_limiter.rs: the generic
 * cell rate algorithm, a full bucket of `tokens` that takes `windowMs` to come back.
 */
function cellRate(tokens: number, windowMs: number): (ms: number) => boolean {
  const tau = windowMs;
  const step = windowMs / tokens;
  let theoretical = Number.NEGATIVE_INFINITY;
  return (ms) => {
    const from = Math.max(theoretical, ms);
    if (from + step - ms > tau) return true;
    theoretical = from + step;
    return false;
  };
}

/** Prysm sync/rate_limiter.go on kevinms/leakybucket-go: drips `rate` a second out of `capacity`. */
function leakyBucket(rate: number, capacity: number): (ms: number) => boolean {
  let fill = 0;
  let lastMs = Number.NEGATIVE_INFINITY;
  return (ms) => {
    fill = Math.max(0, fill - (Number.isFinite(lastMs) ? ((ms - lastMs) / 1_000) * rate : fill));
    lastMs = ms;
    if (fill + 1 > capacity) return true;
    fill++;
    return false;
  };
}

/** Teku RateTrackerImpl.java, Caplin rate_limiter.go: what came within the last `windowMs` is counted. */
function lastWindow(count: number, windowMs: number): (ms: number) => boolean {
  let seen: number[] = [];
  return (ms) => {
    seen = seen.filter((at) => ms - at < windowMs);
    if (seen.length >= count) return true;
    seen.push(ms);
    return false;
  };
}

function byKind(limiters: Readonly<Record<Asked, (ms: number) => boolean>>): Limiter {
  return (asked, ms) => limiters[asked](ms);
}

const CLIENTS: Readonly<Record<string, () => Limiter>> = {
  'Lighthouse, Grandine, Lodestar': () =>
    byKind({
      status: cellRate(5, 15_000),
      metadata: cellRate(2, 5_000),
      ping: cellRate(2, 10_000),
      goodbye: cellRate(1, 10_000),
    }),
  Prysm: () =>
    byKind({
      status: leakyBucket(1, 5),
      metadata: leakyBucket(1, 5),
      ping: leakyBucket(1, 5),
      goodbye: leakyBucket(1, 1),
    }),
  'Prysm, all': () => {
    const all = leakyBucket(10, 20);
    return (_, ms) => all(ms);
  },
  Teku: () => {
    const all = lastWindow(100, 60_000);
    return (asked, ms) => asked !== 'goodbye' && all(ms);
  },
  Nimbus: () => {
    const all = leakyBucket(8, 8);
    return (_, ms) => all(ms);
  },
  Caplin: () =>
    byKind({
      status: lastWindow(5, 15_000),
      metadata: lastWindow(2, 10_000),
      ping: lastWindow(2, 10_000),
      goodbye: lastWindow(1, 10_000),
    }),
};

const asks = fc.array(
  fc.record({
    asked: fc.constantFrom(...ASKED),
    waitMs: fc.oneof(fc.nat(300), fc.nat(20_000), fc.nat(90_000)),
    delayMs: fc.nat(999),
  }),
  { maxLength: 300 },
);

describe('the ledger of manners', () => {
  it.each(Object.entries(CLIENTS))(
    'keeps within the quotas of %s, whatever is asked when and however late it arrives',
    (_, make) => {
      fc.assert(
        fc.property(asks, (sequence) => {
          const ledger = createMannersLedger({ startedMs: LONG_AGO });
          const arrivals: { asked: Asked; ms: number }[] = [];
          let nowMs = 0;
          for (const { asked, waitMs, delayMs } of sequence) {
            nowMs += waitMs;
            if (ledger.tryAsk('peer', asked, nowMs)) arrivals.push({ asked, ms: nowMs + delayMs });
          }
          const exceeds = make();
          for (const { asked, ms } of arrivals.sort((a, b) => a.ms - b.ms)) expect(exceeds(asked, ms)).toBe(false);
        }),
        { numRuns: 300 },
      );
    },
  );

  it('keeps within them over a restart, after which nobody knows what was asked', () => {
    fc.assert(
      fc.property(fc.nat(20_000), (downMs) => {
        const exceeds = (CLIENTS['Lighthouse, Grandine, Lodestar'] as () => Limiter)();
        // One visit, cut off by the end of the program.
        for (const asked of ['status', 'metadata', 'goodbye'] as const) expect(exceeds(asked, 0)).toBe(false);
        const ledger = createMannersLedger({ startedMs: downMs });
        for (let ms = downMs; ms < downMs + 60_000; ms += 500) {
          for (const asked of ASKED) if (ledger.tryAsk('peer', asked, ms)) expect(exceeds(asked, ms)).toBe(false);
        }
      }),
    );
  });

  it('says when somebody may be asked again', () => {
    const ledger = createMannersLedger({ startedMs: LONG_AGO });
    expect(ledger.askableAtMs('peer', 'goodbye', 5)).toBe(5);
    expect(ledger.tryAsk('peer', 'goodbye', 5)).toBe(true);
    expect(ledger.tryAsk('peer', 'goodbye', 6)).toBe(false);
    // Ten seconds by the quota, and one because the first may arrive late.
    expect(ledger.askableAtMs('peer', 'goodbye', 6)).toBe(11_005);
    expect(ledger.tryAsk('peer', 'goodbye', 11_005)).toBe(true);
    expect(ledger.tryAsk('somebody else', 'goodbye', 6)).toBe(true);
  });

  it('never keeps from visiting once an epoch whom it asks one Status and one MetaData', () => {
    const ledger = createMannersLedger({ startedMs: LONG_AGO });
    for (let ms = 0; ms < 600_000; ms += 6_000) {
      expect(ledger.tryAsk('peer', 'status', ms)).toBe(true);
      expect(ledger.tryAsk('peer', 'metadata', ms + 100)).toBe(true);
    }
  });

  it('forgets whom nothing keeps from being asked, and is bounded', () => {
    const ledger = createMannersLedger({ startedMs: LONG_AGO, maxPeers: 3 });
    for (const [index, peerId] of ['a', 'b', 'c', 'd', 'e'].entries()) ledger.tryAsk(peerId, 'goodbye', index);
    expect(ledger.size).toBe(3);
    expect(ledger.tryAsk('e', 'goodbye', 5)).toBe(false);
    ledger.tryAsk('f', 'goodbye', 100_000);
    expect(ledger.size).toBe(1);
  });
});
