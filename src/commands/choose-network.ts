import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Network } from '../consensus/network.ts';
import { BUILT_IN_NETWORKS, builtInNetwork } from '../consensus/networks.ts';
import { forkDevnet } from '../devnet/fork.ts';
import type { Logger } from '../io/logger.ts';
import { type DevnetNode, devnetNetwork, readDevnetFile } from '../io/network-file.ts';
import { prepareFolder } from './data-folder.ts';
import type { Options } from './options.ts';
import { UsageError } from './usage-error.ts';

export interface ChosenNetwork {
  readonly network: Network;
  /** The nodes of a devnet and the truth about them; `null` on any other network. */
  readonly truth: readonly DevnetNode[] | null;
}

type NetworkOptions = Pick<Options, 'network' | 'nodes' | 'seed' | 'slotMs' | 'dir' | 'activeValidators'>;

/**
 * The network that `--network` names. `devnet` starts one in a process of its own, which ends with the stack.
 * @throws UsageError when there is no such network, NetworkError when its file cannot be used
 */
export async function chooseNetwork(
  options: NetworkOptions,
  stack: AsyncDisposableStack,
  logger: Logger,
): Promise<ChosenNetwork> {
  return (
    (await namedNetwork(options)) ?? withOptions(await fromFile(await startDevnetFor(options, stack, logger)), options)
  );
}

/**
 * The network that `--network` names, as far as it is known beforehand: `null` for `devnet`, which is made at the start.
 * @throws UsageError when there is no such network, NetworkError when its file cannot be used
 */
export async function namedNetwork(
  options: Pick<Options, 'network' | 'activeValidators'>,
): Promise<ChosenNetwork | null> {
  const chosen = await byName(options.network);
  return chosen === null ? null : withOptions(chosen, options);
}

function withOptions(chosen: ChosenNetwork, { activeValidators }: Pick<Options, 'activeValidators'>): ChosenNetwork {
  if (activeValidators === undefined) return chosen;
  return { ...chosen, network: { ...chosen.network, activeValidators } };
}

async function byName(name: string): Promise<ChosenNetwork | null> {
  if (name === 'devnet') return null;
  const builtIn = BUILT_IN_NETWORKS.find((candidate) => candidate === name);
  if (builtIn !== undefined) return { network: builtInNetwork(builtIn), truth: null };
  if (name.includes('/') || name.endsWith('.json')) {
    if ((await stat(name).catch(() => null)) === null) throw new UsageError(`--network ${name}: there is no such file`);
    return fromFile(name);
  }
  throw new UsageError(
    `--network must be one of ${BUILT_IN_NETWORKS.join(', ')}, devnet, or the path of a network.json, not "${name}"`,
  );
}

async function fromFile(path: string): Promise<ChosenNetwork> {
  const file = await readDevnetFile(path);
  return { network: devnetNetwork(file), truth: file.nodes };
}

async function startDevnetFor(
  { nodes, seed, slotMs, dir, activeValidators }: NetworkOptions,
  stack: AsyncDisposableStack,
  logger: Logger,
): Promise<string> {
  const folder = await devnetFolder(dir, stack);
  logger.info({ nodes, seed, slotMs, dir: folder }, 'starting a devnet on loopback');
  const limits = activeValidators === undefined ? {} : { activeValidators };
  const devnet = await forkDevnet({ nodes, seed, slotMs, dir: folder, ...limits }, logger);
  stack.defer(() => devnet.stop());
  return devnet.networkPath;
}

/** The folder that `--dir` names, or one that is gone when the program is. */
export async function devnetFolder(dir: string | undefined, stack: AsyncDisposableStack): Promise<string> {
  if (dir !== undefined) return prepareFolder(dir, '--dir');
  const folder = await mkdtemp(join(tmpdir(), 'valtrack-devnet-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
