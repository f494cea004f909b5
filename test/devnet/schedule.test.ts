import { describe, expect, it } from 'vitest';
import {
  type Fork,
  type ForkSchedule,
  forkDigest,
  forkEntries,
  nextDigestEpoch,
  topicDigests,
} from '../../src/devnet/schedule.ts';

/** Public networks, whose digests others have computed. */
const NAMES = ['phase0', 'altair', 'bellatrix', 'capella', 'deneb', 'electra', 'fulu'];
const forks = (epochs: readonly number[], versions: readonly string[]): Fork[] =>
  epochs.map((epoch, index) => ({ name: NAMES[index] ?? '', epoch, version: versions[index] ?? '' }));

const MAINNET: ForkSchedule = {
  genesisValidatorsRoot: '4b363db94e286120d76eb905340fdd4e54bfe9f06bf33ff6cf5ad27f511bfe95',
  forks: forks(
    [0, 74240, 144896, 194048, 269568, 364032, 411392],
    ['00000000', '01000000', '02000000', '03000000', '04000000', '05000000', '06000000'],
  ),
  blobSchedule: [
    { epoch: 412672, max_blobs: 15 },
    { epoch: 419072, max_blobs: 21 },
  ],
};

const HOODI: ForkSchedule = {
  genesisValidatorsRoot: '212f13fc4df078b6cb7db228f1c8307566dcecf900867401a92023d7ba99cb5f',
  forks: forks(
    [0, 0, 0, 0, 0, 2048, 50688],
    ['10000910', '20000910', '30000910', '40000910', '50000910', '60000910', '70000910'],
  ),
  blobSchedule: [
    { epoch: 52480, max_blobs: 15 },
    { epoch: 54016, max_blobs: 21 },
  ],
};

describe('fork digest', () => {
  it.each([
    [0, 'b5303f2a'],
    [74239, 'b5303f2a'],
    [74240, 'afcaaba0'],
    [144896, '4a26c58b'],
    [194048, 'bba4da96'],
    [269568, '6a95a1a9'],
    [364032, 'ad532ceb'],
    [411392, 'cc2c5cdb'],
    [412672, 'cb0d1acc'],
    [419071, 'cb0d1acc'],
    [419072, '8c9f62fe'],
  ])('of mainnet at epoch %i is %s', (epoch, digest) => {
    expect(forkDigest(MAINNET, epoch)).toBe(digest);
  });

  it.each([
    [0, 'd2f1997f'],
    [2048, '82556a32'],
    [50688, 'e2abcca4'],
    [52480, 'ae9f70a0'],
    [54016, 'c6ecb76c'],
  ])('of hoodi, with several forks at genesis, at epoch %i is %s', (epoch, digest) => {
    expect(forkDigest(HOODI, epoch)).toBe(digest);
  });
});

describe('record entries', () => {
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

  it('say that nothing is scheduled', () => {
    const { eth2, nfd } = forkEntries(MAINNET, 419_072);
    expect(hex(eth2)).toBe('8c9f62fe06000000ffffffffffffffff');
    expect(hex(nfd)).toBe('00000000');
  });

  it('announce a fork with its version, and blob parameters without one', () => {
    // 411392 = 0x064700 and 412672 = 0x064c00, least significant byte first.
    expect(hex(forkEntries(MAINNET, 411_391).eth2)).toBe('ad532ceb060000000047060000000000');
    expect(hex(forkEntries(MAINNET, 411_391).nfd)).toBe('cc2c5cdb');
    expect(hex(forkEntries(MAINNET, 411_392).eth2)).toBe('cc2c5cdb06000000004c060000000000');
    expect(hex(forkEntries(MAINNET, 411_392).nfd)).toBe('cb0d1acc');
  });

  it('know the next change', () => {
    expect(nextDigestEpoch(MAINNET, 364_032)).toBe(411_392);
    expect(nextDigestEpoch(MAINNET, 411_392)).toBe(412_672);
    expect(nextDigestEpoch(MAINNET, 419_072)).toBeUndefined();
  });
});

describe('topic digests', () => {
  it('are two for an epoch on either side of a change, and one otherwise', () => {
    expect(topicDigests(MAINNET, 412_670)).toEqual(['cc2c5cdb']);
    expect(topicDigests(MAINNET, 412_671)).toEqual(['cc2c5cdb', 'cb0d1acc']);
    expect(topicDigests(MAINNET, 412_672)).toEqual(['cc2c5cdb', 'cb0d1acc']);
    expect(topicDigests(MAINNET, 412_673)).toEqual(['cb0d1acc']);
  });
});
