import { genesisData, networksChainConfig } from '@lodestar/config/networks';
import { describe, expect, it } from 'vitest';
import { computeForkDigest } from '../../src/consensus/fork-digest.ts';
import { forkSteps } from '../../src/consensus/fork-schedule.ts';
import type { Network } from '../../src/consensus/network.ts';
import {
  BUILT_IN_NETWORKS,
  type BuiltInNetwork,
  builtInNetwork,
  type ChainParameters,
  networkFrom,
} from '../../src/consensus/networks.ts';

/** First epoch and digest of each step, computed with raw SHA-256 and with another library. */
type Steps = readonly (readonly [epoch: number, digest: string])[];

const EXPECTED: Readonly<Partial<Record<BuiltInNetwork, Steps>>> = {
  mainnet: [
    [0, 'b5303f2a'],
    [74_240, 'afcaaba0'],
    [144_896, '4a26c58b'],
    [194_048, 'bba4da96'],
    [269_568, '6a95a1a9'],
    [364_032, 'ad532ceb'],
    [411_392, 'cc2c5cdb'],
    [412_672, 'cb0d1acc'],
    [419_072, '8c9f62fe'],
  ],
  sepolia: [
    [0, 'a8fee8ee'],
    [50, '60725ca1'],
    [100, '36fa5013'],
    [56_832, '47eb72b3'],
    [132_608, 'd31f6191'],
    [222_464, '14045b5a'],
    [272_640, '7e0d3447'],
    [274_176, 'fd32b622'],
    [275_712, '74d01459'],
    // EIP-7773; eth-clients/sepolia, metadata/config.yaml.
    [353_024, '669e6c11'],
  ],
  hoodi: [
    [0, 'd2f1997f'],
    [2_048, '82556a32'],
    [50_688, 'e2abcca4'],
    [52_480, 'ae9f70a0'],
    [54_016, 'c6ecb76c'],
  ],
};

/** The last two steps of the networks whose table is not complete. */
const EXPECTED_LAST: Readonly<Partial<Record<BuiltInNetwork, Steps>>> = {
  gnosis: [
    [1_337_856, '7d5aab40'],
    [1_714_688, '3237dab6'],
  ],
  chiado: [
    [948_224, 'ff15abe1'],
    [1_353_216, '25f9148e'],
  ],
};

const stepsOf = (network: Network): Steps => network.forkSteps.map(({ epoch, digest }) => [epoch, digest]);

describe('the fork schedule of', () => {
  it.each(Object.entries(EXPECTED))('%s has every digest of the table', (name, steps) => {
    expect(stepsOf(builtInNetwork(name as BuiltInNetwork))).toEqual(steps);
  });

  it.each(Object.entries(EXPECTED_LAST))('%s ends with the digests of the table', (name, steps) => {
    expect(stepsOf(builtInNetwork(name as BuiltInNetwork)).slice(-2)).toEqual(steps);
  });

  it('holesky has the digests of the table, from its parameters', () => {
    const { mainnet } = networksChainConfig;
    const version = (last: number) => Uint8Array.of(last, 1, 0x70, 0);
    const config: ChainParameters = {
      ...mainnet,
      GENESIS_FORK_VERSION: version(1),
      ALTAIR_FORK_VERSION: version(2),
      ALTAIR_FORK_EPOCH: 0,
      BELLATRIX_FORK_VERSION: version(3),
      BELLATRIX_FORK_EPOCH: 0,
      CAPELLA_FORK_VERSION: version(4),
      CAPELLA_FORK_EPOCH: 256,
      DENEB_FORK_VERSION: version(5),
      DENEB_FORK_EPOCH: 29_696,
      ELECTRA_FORK_VERSION: version(6),
      ELECTRA_FORK_EPOCH: 115_968,
      FULU_FORK_VERSION: version(7),
      FULU_FORK_EPOCH: 165_120,
      BLOB_SCHEDULE: [
        { EPOCH: 166_400, MAX_BLOBS_PER_BLOCK: 15 },
        { EPOCH: 167_936, MAX_BLOBS_PER_BLOCK: 21 },
      ],
    };
    const holesky = networkFrom(config, {
      name: 'holesky',
      isPublic: true,
      genesis: {
        genesisTimeMs: 1_695_902_400_000,
        genesisValidatorsRoot: '9143aa7c615a7f7115e2b6aac319c03529df8242ae705fba9df39b79c59fa8b1',
      },
      bootnodes: [],
      activeValidators: 1,
    });
    expect(stepsOf(holesky)).toEqual([
      [0, '69b7d974'],
      [256, '17e2dad3'],
      [29_696, '69ae0e99'],
      [115_968, '019e21ad'],
      [165_120, '84e8fde5'],
      [166_400, 'c7022d55'],
      [167_936, '32db3f09'],
    ]);
  });

  it('plataberget, where all forks to Fulu are at genesis, has Fulu and Gloas', () => {
    const { genesisTime, genesisValidatorsRoot } = genesisData.plataberget;
    const plataberget = networkFrom(networksChainConfig.plataberget, {
      name: 'plataberget',
      isPublic: true,
      genesis: { genesisTimeMs: genesisTime * 1_000, genesisValidatorsRoot: genesisValidatorsRoot.replace('0x', '') },
      bootnodes: [],
      activeValidators: 1,
    });
    expect(plataberget.forkSteps.map(({ epoch, name, digest }) => [epoch, name, digest])).toEqual([
      [0, 'fulu', '5c943807'],
      [1_536, 'gloas', '98c910cf'],
    ]);
  });

  it.each([
    ['mainnet', '07000000', 'ce2153ed'],
    ['sepolia', '90000076', '669e6c11'],
    ['hoodi', '80000910', '5ad30129'],
  ] as const)('%s would give Gloas the digest of the table', (name, version, digest) => {
    const last = builtInNetwork(name).forkSteps.at(-1);
    const config: ChainParameters = {
      ...networksChainConfig[name],
      GLOAS_FORK_EPOCH: (last?.epoch ?? 0) + 1_000,
      GLOAS_FORK_VERSION: new Uint8Array(Buffer.from(version, 'hex')),
    };
    const { genesisTimeMs, genesisValidatorsRoot } = builtInNetwork(name);
    const network = networkFrom(config, {
      name,
      isPublic: true,
      genesis: { genesisTimeMs, genesisValidatorsRoot },
      bootnodes: [],
      activeValidators: 1,
    });
    expect(network.forkSteps.at(-1)).toMatchObject({
      epoch: config.GLOAS_FORK_EPOCH,
      name: 'gloas',
      forkVersion: version,
      digest,
    });
  });
});

describe('a built-in network', () => {
  it.each([
    ['mainnet', 1_606_824_023_000, 12_000, 32, '4b363db94e286120d76eb905340fdd4e54bfe9f06bf33ff6cf5ad27f511bfe95'],
    ['sepolia', 1_655_733_600_000, 12_000, 32, 'd8ea171f3c94aea21ebc42a1ed61052acf3f9209c00e4efbaaddac09ed9b8078'],
    ['hoodi', 1_742_213_400_000, 12_000, 32, '212f13fc4df078b6cb7db228f1c8307566dcecf900867401a92023d7ba99cb5f'],
  ] as const)('%s has its genesis and clock', (name, genesisTimeMs, slotMs, slotsPerEpoch, genesisValidatorsRoot) => {
    expect(builtInNetwork(name)).toMatchObject({
      name,
      isPublic: true,
      genesisTimeMs,
      slotMs,
      slotsPerEpoch,
      genesisValidatorsRoot,
    });
  });

  it('gnosis has slots of 5 s, 16 an epoch', () => {
    expect(builtInNetwork('gnosis')).toMatchObject({
      genesisTimeMs: 1_638_993_340_000,
      slotMs: 5_000,
      slotsPerEpoch: 16,
    });
  });

  it.each(BUILT_IN_NETWORKS)('%s starts at epoch 0 and ascends, with a digest of its own for every step', (name) => {
    const { forkSteps: steps } = builtInNetwork(name);
    expect(steps[0]?.epoch).toBe(0);
    for (const [index, step] of steps.slice(1).entries()) expect(step.epoch).toBeGreaterThan(steps[index]?.epoch ?? 0);
    expect(new Set(steps.map(({ digest }) => digest)).size).toBe(steps.length);
  });
});

describe('computeForkDigest', () => {
  const root = '4b363db94e286120d76eb905340fdd4e54bfe9f06bf33ff6cf5ad27f511bfe95';

  it('takes hex with and without prefix', () => {
    expect(computeForkDigest('0x00000000', `0x${root}`, null)).toBe('b5303f2a');
    expect(computeForkDigest('00000000', root.toUpperCase(), null)).toBe('b5303f2a');
  });

  it.each([
    ['000000', root],
    ['0000000000', root],
    ['0000000g', root],
    ['00000000', root.slice(2)],
    ['00000000', `${root}00`],
    ['', root],
    ['00000000', ''],
  ])('refuses a version "%s" with a root "%s"', (version, genesisValidatorsRoot) => {
    expect(() => computeForkDigest(version, genesisValidatorsRoot, null)).toThrow(/expected (4|32) bytes of hex/);
  });
});

describe('forkSteps', () => {
  const root = '00'.repeat(32);
  const electra = { epoch: 0, maxBlobsPerBlock: 9 };

  it('counts blob entries from Fulu on, an earlier one as already in force', () => {
    const forks = [
      { name: 'phase0', epoch: 0, version: '00000000' },
      { name: 'fulu', epoch: 100, version: '06000000' },
    ];
    const early = { epoch: 50, maxBlobsPerBlock: 12 };
    const steps = forkSteps(root, forks, [{ epoch: 120, maxBlobsPerBlock: 15 }, early], electra);
    expect(steps.map(({ epoch, name }) => [epoch, name])).toEqual([
      [0, 'phase0'],
      [100, 'fulu'],
      [120, 'fulu'],
    ]);
    expect(steps[1]?.digest).toBe(computeForkDigest('06000000', root, early));
    expect(steps[1]?.digest).not.toBe(computeForkDigest('06000000', root, electra));
  });

  it('takes forks in any order', () => {
    const forks = [
      { name: 'phase0', epoch: 0, version: '00000000' },
      { name: 'altair', epoch: 5, version: '01000000' },
      { name: 'fulu', epoch: 9, version: '06000000' },
    ];
    expect(forkSteps(root, forks.toReversed(), [], electra)).toEqual(forkSteps(root, forks, [], electra));
  });
});
