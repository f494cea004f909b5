import { describe, expect, it } from 'vitest';
import type { NodeRecord } from '../../../src/consensus/node-record.ts';
import { createForkTally } from '../../../src/streams/crawl/coverage.ts';
import { DIGEST, forkId, nodeRecord, OTHER_DIGEST } from '../../support/streams/network.ts';

const isOurs = ({ eth2 }: NodeRecord) => eth2?.forkDigest === DIGEST;
const foreign = { eth2: forkId(OTHER_DIGEST) };

describe('createForkTally', () => {
  it.each<[string, NodeRecord[], ReturnType<ReturnType<typeof createForkTally>['counts']>]>([
    ['nobody', [], { ours: 0, otherDigests: {} }],
    ['ours', [nodeRecord('a'), nodeRecord('b')], { ours: 2, otherDigests: {} }],
    [
      'others by their digest',
      [nodeRecord('a', foreign), nodeRecord('b', foreign), nodeRecord('c', { eth2: null })],
      { ours: 0, otherDigests: { [OTHER_DIGEST]: 2, none: 1 } },
    ],
    [
      'a node once, by the first of its records',
      [nodeRecord('a'), nodeRecord('a', { ...foreign, sequence: 2n, enr: 'enr:a2' })],
      { ours: 1, otherDigests: {} },
    ],
  ])('counts %s', (_, records, counts) => {
    const forks = createForkTally(isOurs);
    for (const record of records) forks.count(record);
    expect(forks.counts()).toEqual(counts);
  });
});
