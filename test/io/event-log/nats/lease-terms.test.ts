import { beforeEach, describe, expect, it } from 'vitest';
import { type LeaseTerms, leaseTerms } from '../../../../src/io/event-log/nats/lease-terms.ts';

const TTL_MS = 1_000;

let monotonicMs: number;
let wallMs: number;
let terms: LeaseTerms;

beforeEach(() => {
  monotonicMs = 50;
  wallMs = 1_700_000_000_000;
  terms = leaseTerms(TTL_MS, () => ({ monotonicMs, wallMs }));
});

const pass = (ms: number) => {
  monotonicMs += ms;
  wallMs += ms;
};

describe('a lease', () => {
  it('is not ours before it is held', () => {
    expect([terms.term(), terms.revision]).toEqual([null, null]);
  });

  it('is ours for its time, from when it was asked for', () => {
    const asked = terms.now();
    pass(400);
    terms.hold(7, asked);
    pass(599);
    expect(terms.term()).toBe(1);
    pass(1);
    expect(terms.term()).toBe(null);
    expect(terms.revision).toBe(7);
  });

  it('is ours in one term for as long as it is renewed in time', () => {
    for (const revision of [7, 8, 9]) {
      terms.hold(revision, terms.now());
      pass(900);
    }
    expect([terms.term(), terms.revision]).toEqual([1, 9]);
  });

  it('is ours in another term after it was lost', () => {
    terms.hold(7, terms.now());
    terms.end();
    expect([terms.term(), terms.revision]).toEqual([null, null]);
    terms.hold(8, terms.now());
    expect(terms.term()).toBe(2);
  });

  it.each([
    ['that does not run while the machine sleeps', 0, TTL_MS],
    ['that somebody sets back', TTL_MS, -TTL_MS],
  ])('is over in time beside a clock %s', (_, monotonic, wall) => {
    terms.hold(7, terms.now());
    monotonicMs += monotonic;
    wallMs += wall;
    expect(terms.term()).toBe(null);
  });
});
