import { describe, expect, it } from 'vitest';
import { BOOTNODES } from '../../../src/consensus/bootnodes.ts';
import { failure } from '../../../src/consensus/failure.ts';
import { parseOptOut } from '../../../src/consensus/opt-out.ts';
import { type Observation, visitFailed, visitSucceeded } from '../../../src/streams/visit.ts';
import { createLeftAlone } from '../../../src/streams/visits/left-alone.ts';
import { recordOf } from '../../support/streams/network.ts';
import { knownPeer } from '../../support/streams/pipeline.ts';

const [ENR = ''] = BOOTNODES.mainnet;

/** An address and a node asked to be left alone; the record of `known` is that node's. */
function leftAlone() {
  const parsed = parseOptOut(`10.0.0.9\n${recordOf(ENR).nodeId}`);
  if (!parsed.ok) throw new Error(parsed.reason);
  return createLeftAlone(parsed.value, {
    get: (peerId) => (peerId === 'known' ? knownPeer(peerId, { enr: ENR }) : undefined),
  });
}

const observation = (address: string, enr: string | null) =>
  visitSucceeded({ peerId: 'a', lease: 1, address, enr } as Observation);

describe('a peer that dials us', () => {
  it.each([
    ['from an address that is to be left alone', 'a', '/ip4/10.0.0.9/tcp/1', true],
    ['whose record is to be left alone', 'known', '/ip4/10.0.0.1/tcp/1', true],
    ['of whom nothing is said', 'a', '/ip4/10.0.0.1/tcp/1', false],
  ])('%s', (_, peerId, address, declined) => {
    expect(leftAlone().declines(peerId, address)).toBe(declined);
  });
});

describe('an observation', () => {
  it.each([
    ['with a record that is to be left alone', '/ip4/10.0.0.1/tcp/1', ENR],
    ['at an address that is to be left alone', '/ip4/10.0.0.9/tcp/1', null],
  ])('is not kept %s', (_, address, enr) => {
    expect(leftAlone().kept(observation(address, enr))).toEqual(
      visitFailed({ peerId: 'a', lease: 1 }, failure('record', 'gated', 'asked to be left alone')),
    );
  });

  it('is kept of others, and a failure stays what it is', () => {
    const { kept } = leftAlone();
    const failed = visitFailed({ peerId: 'a', lease: 1 }, failure('dial', 'refused'));
    const seen = observation('/ip4/10.0.0.1/tcp/1', null);
    expect([kept(seen), kept(failed)]).toEqual([seen, failed]);
  });
});
