import { genesisData, networksChainConfig } from '@lodestar/config/networks';
import { toHex } from './bits.ts';
import { BOOTNODES } from './bootnodes.ts';
import { FORKS, forkSteps, type ScheduledFork } from './fork-schedule.ts';
import type { Network } from './network.ts';

/** The public networks that are built in. */
export const BUILT_IN_NETWORKS = ['mainnet', 'sepolia', 'hoodi', 'gnosis', 'chiado'] as const;
export type BuiltInNetwork = (typeof BUILT_IN_NETWORKS)[number];

/**
 * Active validators, for the aggregator probability; `--active-validators` overrides it. Mainnet, sepolia: the last
 * figures of the reference; the others: order of magnitude.
 */
const ACTIVE_VALIDATORS: Readonly<Record<BuiltInNetwork, number>> = {
  mainnet: 1_000_000,
  sepolia: 1_900,
  hoodi: 1_200_000,
  gnosis: 300_000,
  chiado: 100_000,
};

const SLOTS_PER_EPOCH: Readonly<Record<string, number>> = { mainnet: 32, minimal: 8, gnosis: 16 };

/** What a consensus `config.yaml` and the genesis say, under the specification's names. */
export type ChainParameters = {
  readonly PRESET_BASE: string;
  readonly SECONDS_PER_SLOT: number;
  readonly GENESIS_FORK_VERSION: Uint8Array;
  readonly ELECTRA_FORK_EPOCH: number;
  readonly MAX_BLOBS_PER_BLOCK_ELECTRA: number;
  readonly BLOB_SCHEDULE: readonly { readonly EPOCH: number; readonly MAX_BLOBS_PER_BLOCK: number }[];
} & { readonly [Key in `${(typeof FORKS)[number]}_FORK_EPOCH`]?: number | undefined } & {
  readonly [Key in `${(typeof FORKS)[number]}_FORK_VERSION`]?: Uint8Array | undefined;
};

export interface Genesis {
  readonly genesisTimeMs: number;
  /** 32 bytes of hex, no prefix. */
  readonly genesisValidatorsRoot: string;
}

/** What was decided after the package with the configurations was made. Sepolia: EIP-7773, eth-clients/sepolia `metadata/config.yaml`. */
const DECIDED_SINCE: Readonly<Partial<Record<BuiltInNetwork, Partial<ChainParameters>>>> = {
  sepolia: { GLOAS_FORK_EPOCH: 353_024 },
};

/** A network that is built in. */
export function builtInNetwork(name: BuiltInNetwork): Network {
  const genesis = genesisData[name];
  const config: ChainParameters = { ...networksChainConfig[name], ...DECIDED_SINCE[name] };
  return networkFrom(config, {
    name,
    isPublic: true,
    genesis: {
      genesisTimeMs: genesis.genesisTime * 1_000,
      genesisValidatorsRoot: genesis.genesisValidatorsRoot.replace('0x', ''),
    },
    bootnodes: BOOTNODES[name],
    activeValidators: ACTIVE_VALIDATORS[name],
  });
}

export interface NetworkIdentity {
  readonly name: string;
  readonly isPublic: boolean;
  readonly genesis: Genesis;
  readonly bootnodes: readonly string[];
  readonly activeValidators: number;
}

/** A network from its chain parameters. Forks whose epoch is far in the future are not scheduled. */
export function networkFrom(
  config: ChainParameters,
  { name, isPublic, genesis, bootnodes, activeValidators }: NetworkIdentity,
): Network {
  const forks: ScheduledFork[] = [{ name: 'phase0', epoch: 0, version: toHex(config.GENESIS_FORK_VERSION) }];
  for (const fork of FORKS) {
    const epoch = config[`${fork}_FORK_EPOCH`];
    const version = config[`${fork}_FORK_VERSION`];
    if (epoch !== undefined && version !== undefined && epoch < Number.MAX_SAFE_INTEGER) {
      forks.push({ name: fork.toLowerCase(), epoch, version: toHex(version) });
    }
  }
  const blobSchedule = config.BLOB_SCHEDULE.map((entry) => ({
    epoch: entry.EPOCH,
    maxBlobsPerBlock: entry.MAX_BLOBS_PER_BLOCK,
  }));
  return {
    name,
    isPublic,
    ...genesis,
    slotMs: config.SECONDS_PER_SLOT * 1_000,
    slotsPerEpoch: SLOTS_PER_EPOCH[config.PRESET_BASE] ?? 32,
    forkSteps: forkSteps(genesis.genesisValidatorsRoot, forks, blobSchedule, {
      epoch: config.ELECTRA_FORK_EPOCH,
      maxBlobsPerBlock: config.MAX_BLOBS_PER_BLOCK_ELECTRA,
    }),
    bootnodes,
    activeValidators,
  };
}
