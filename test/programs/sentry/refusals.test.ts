import { describe, expect, it } from 'vitest';
import type { PeerState } from '../../../src/actors/peer.ts';
import { type Cause, failure, type Stage } from '../../../src/consensus/failure.ts';
import { refusedByMany } from '../../../src/programs/sentry/refusals.ts';
import { knownPeer } from '../../support/streams/pipeline.ts';

const LIGHTHOUSE = 'Lighthouse/v8.0.1';
const TEKU = 'teku/teku/v25.1.0/linux-x86_64';
const IP4 = '/ip4/10.0.0.1/tcp/9000';
const IP6 = '/ip6/2001:db8::1/tcp/9000';

/** Nodes that were observed before. */
const nodes = (count: number, fields: Partial<PeerState> = {}) =>
  Array.from({ length: count }, (_, index) =>
    knownPeer(`${fields.agent}${fields.lastFailure?.cause}${index}`, { observations: 1, agent: LIGHTHOUSE, ...fields }),
  );
const failing = (stage: Stage, cause: Cause) => ({ failures: 1, lastFailure: failure(stage, cause) });
const BANNED = failing('status', 'banned');
const UNREACHED = failing('dial', 'net_unreachable');

describe('nodes that refuse us', () => {
  it('are named by client when more than a third of those do that we had observed', () => {
    expect(refusedByMany([...nodes(2), ...nodes(1, BANNED)])).toBeNull();
    expect(refusedByMany([...nodes(3), ...nodes(2, BANNED)])).toBe(
      '2 of 5 Lighthouse nodes refuse us that did not before: they may have banned this crawler',
    );
  });

  it('are judged among those of their client', () => {
    const tekus = nodes(3, { agent: TEKU, ...BANNED });
    expect(refusedByMany([...nodes(50), ...tekus])).toBe(
      '3 of 3 Teku nodes refuse us that did not before: they may have banned this crawler',
    );
    expect(refusedByMany(nodes(3, { agent: null, ...BANNED }))).toMatch(/^3 of 3 unnamed nodes refuse us /);
  });

  it('are no sign when they are few, or were never observed', () => {
    expect(refusedByMany(nodes(2, BANNED))).toBeNull();
    expect(refusedByMany(nodes(50, { ...BANNED, observations: 0 }))).toBeNull();
    expect(refusedByMany([])).toBeNull();
  });

  it.each<[Stage, Cause, boolean]>([
    ['status', 'banned', true],
    ['status', 'fault', true],
    ['status', 'rate_limited', true],
    ['status', 'irrelevant_network', true],
    ['status', 'too_many_peers', false],
    ['status', 'timeout', false],
    ['status', 'wrong_fork', false],
    ['dial', 'refused', false],
  ])('say so with %s %s: %s', (stage, cause, refuses) => {
    expect(refusedByMany(nodes(5, failing(stage, cause))) !== null).toBe(refuses);
  });
});

describe('nodes that cannot be reached any more', () => {
  it('are named by address family when more than two thirds of it are', () => {
    const there = nodes(20);
    const six = (count: number, fields = {}) => nodes(count, { addresses: [IP6], ...fields });
    expect(refusedByMany([...there, ...six(10, UNREACHED), ...six(5)])).toBeNull();
    expect(refusedByMany([...there, ...six(11, UNREACHED), ...six(5)])).toBe(
      '11 of 16 nodes with IPv6 addresses cannot be reached any more: look at the IPv6 connection of this machine',
    );
    expect(refusedByMany(nodes(10, { addresses: [IP4], ...UNREACHED }))).toMatch(
      /^10 of 10 nodes with IPv4 addresses /,
    );
  });

  it('are no sign when they are few, or have no address', () => {
    expect(refusedByMany(nodes(9, UNREACHED))).toBeNull();
    expect(refusedByMany(nodes(50, { addresses: [], ...UNREACHED }))).toBeNull();
  });

  it.each<[Stage, Cause, boolean]>([
    ['dial', 'timeout', true],
    ['dial', 'host_unreachable', true],
    ['dial', 'addr_unassignable', true],
    ['dial', 'refused', true],
    ['dial', 'reset', false],
    ['status', 'timeout', false],
  ])('say so with %s %s: %s', (stage, cause, isUnreached) => {
    expect(refusedByMany(nodes(50, failing(stage, cause))) !== null).toBe(isUnreached);
  });
});

it('both are said at once', () => {
  const reasons = refusedByMany([...nodes(9, { agent: TEKU, ...BANNED }), ...nodes(30, UNREACHED)])?.split('; ');
  expect(reasons).toEqual([expect.stringMatching(/^9 of 9 Teku /), expect.stringMatching(/^30 of 39 .* IPv4 /)]);
});
