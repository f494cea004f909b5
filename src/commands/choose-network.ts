import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Network } from '../consensus/network.ts';
import { BUILT_IN_NETWORKS, builtInNetwork } from '../consensus/networks.ts';
import { forkDevnet } from '../devnet/fork.ts';
import type { Logger } from '../io/logging/logger.ts';
import { readNetworkConfig } from '../io/networks/network-config.ts';
import { type DevnetNode, devnetNetwork, readDevnetFile } from '../io/networks/network-file.ts';
import { prepareFolder } from '../io/storage/files/data-folder.ts';
import { exists } from '../io/storage/files/disk-steps.ts';
import type { Options } from './options.ts';
import type { Session } from './until-stopped.ts';
import { UsageError } from './usage-error.ts';

export interface ChosenNetwork {
  readonly network: Network;
  /** The nodes of a devnet and the truth about them; `null` on any other network. */
  readonly truth: readonly DevnetNode[] | null;
  /** The `network.json` of a devnet; `null` on any other network. */
  readonly devnetFile: string | null;
}

type NetworkOptions = Pick<
  Options,
  | 'network'
  | 'nodes'
  | 'seed'
  | 'slotMs'
  | 'dir'
  | 'activeValidators'
  | 'allowPrivate'
  | 'faults'
  | 'forkAt'
  | 'blobForkAt'
>;

/** Where ephemery's current genesis is published; it begins anew every week. */
const EPHEMERY_CONFIG = 'https://ephemery.dev/latest/config.yaml';
/** For networks that nobody has counted; `--active-validators` says better. */
const CONFIGURED_ACTIVE_VALIDATORS = 1_000;

/**
 * The network that `--network` names. `devnet` starts one in a process of its own, which ends with the stack.
 * @throws UsageError when there is no such network, NetworkError when its file cannot be used
 */
export async function chooseNetwork(
  options: NetworkOptions,
  { stack, ending }: Pick<Session, 'stack' | 'ending'>,
  logger: Logger,
): Promise<ChosenNetwork> {
  const named = await namedNetwork(options);
  return named ?? withOptions(await fromFile(await startDevnetFor(options, stack, ending, logger)), options);
}

/**
 * The network that `--network` names, as far as it is known beforehand: `null` for `devnet`, which is made at the start.
 * @throws UsageError when there is no such network, NetworkError when its file cannot be used
 */
export async function namedNetwork(
  options: Pick<Options, 'network' | 'activeValidators' | 'allowPrivate'>,
): Promise<ChosenNetwork | null> {
  const chosen = await byName(options);
  return chosen === null ? null : withOptions(chosen, options);
}

function withOptions(chosen: ChosenNetwork, { activeValidators }: Pick<Options, 'activeValidators'>): ChosenNetwork {
  if (activeValidators === undefined) return chosen;
  return { ...chosen, network: { ...chosen.network, activeValidators } };
}

async function byName({
  network: name,
  allowPrivate,
}: Pick<Options, 'network' | 'allowPrivate'>): Promise<ChosenNetwork | null> {
  const location = name === 'ephemery' ? EPHEMERY_CONFIG : name;
  const isConfig = /^https?:\/\//.test(location) || /\.ya?ml$/.test(location);
  // On a public network whoever makes up records would choose which hosts behind our router are dialled.
  if (allowPrivate && !isConfig) {
    throw new UsageError(
      `--allow-private goes with the config.yaml of a network of one's own, not with --network ${name}`,
    );
  }
  if (name === 'devnet') return null;
  const builtIn = BUILT_IN_NETWORKS.find((candidate) => candidate === name);
  if (builtIn !== undefined) return { network: builtInNetwork(builtIn), truth: null, devnetFile: null };
  if (isConfig) {
    const network = await readNetworkConfig({
      location,
      activeValidators: CONFIGURED_ACTIVE_VALIDATORS,
      ...(name === 'ephemery' ? { name } : {}),
    });
    const reached = allowPrivate ? { ...network, isPublic: false, dialsAnyAddress: true } : network;
    return { network: reached, truth: null, devnetFile: null };
  }
  if (name.includes('/') || name.endsWith('.json')) {
    if (!(await exists(name))) throw new UsageError(`--network ${name}: there is no such file`);
    return fromFile(name);
  }
  throw new UsageError(
    `--network must be one of ${BUILT_IN_NETWORKS.join(', ')}, ephemery, devnet, a config.yaml or a network.json, not "${name}"`,
  );
}

async function fromFile(path: string): Promise<ChosenNetwork> {
  const file = await readDevnetFile(path);
  return { network: devnetNetwork(file), truth: file.nodes, devnetFile: path };
}

async function startDevnetFor(
  { nodes, seed, slotMs, dir, activeValidators, faults, forkAt, blobForkAt }: NetworkOptions,
  stack: AsyncDisposableStack,
  ending: AbortSignal,
  logger: Logger,
): Promise<string> {
  const folder = await devnetFolder(dir, stack);
  logger.info({ nodes, seed, slotMs, dir: folder }, 'starting a devnet on loopback');
  const limits = activeValidators === undefined ? {} : { activeValidators };
  const kinds = devnetKinds({ faults, forkAt, blobForkAt });
  const devnet = await forkDevnet({ nodes, seed, slotMs, dir: folder, ...limits, ...kinds }, logger, ending);
  stack.defer(() => devnet.stop());
  return devnet.networkPath;
}

/** What of a devnet is out of the ordinary. */
export function devnetKinds({ faults, forkAt, blobForkAt }: Pick<Options, 'faults' | 'forkAt' | 'blobForkAt'>) {
  const forkIn = {
    ...(forkAt === undefined ? {} : { regularAtEpoch: forkAt }),
    ...(blobForkAt === undefined ? {} : { blobAtEpoch: blobForkAt }),
  };
  return { ...(faults === undefined ? {} : { faults }), ...(Object.keys(forkIn).length === 0 ? {} : { forkIn }) };
}

/** The folder that `--dir` names, or one that is gone when the program is. */
export async function devnetFolder(dir: string | undefined, stack: AsyncDisposableStack): Promise<string> {
  if (dir !== undefined) return prepareFolder(dir, '--dir');
  const folder = await mkdtemp(join(tmpdir(), 'valtrack-devnet-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
