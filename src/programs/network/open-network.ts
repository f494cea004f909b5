import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Network } from '../../consensus/network.ts';
import { type BuiltInNetwork, builtInNetwork } from '../../consensus/networks.ts';
import type { DevnetOptions } from '../../devnet/devnet.ts';
import { forkDevnet } from '../../devnet/fork.ts';
import type { Logger } from '../../io/logging/logger.ts';
import { type DevnetNode, devnetNetwork, readDevnetFile } from '../../io/networks/network-file.ts';
import { prepareFolder } from '../../io/storage/files/data-folder.ts';
import { once, type Part, partOf } from '../part.ts';

/** Which network is meant. */
export type NetworkChoice =
  | { readonly kind: 'built-in'; readonly name: BuiltInNetwork }
  /** A consensus `config.yaml`, at a path or an address. */
  | { readonly kind: 'config'; readonly location: string; readonly name?: string; readonly allowPrivate: boolean }
  /** The `network.json` of a devnet that runs. */
  | { readonly kind: 'file'; readonly path: string }
  /** A devnet that is started here. */
  | { readonly kind: 'devnet'; readonly devnet: DevnetChoice };

export interface DevnetChoice extends Pick<DevnetOptions, 'nodes' | 'seed' | 'slotMs' | 'faults' | 'forkIn'> {
  /** Folder for `network.json`; a temporary one if not given. */
  readonly dir: string | undefined;
}

/** A network, and what is known of it besides. */
export interface ChosenNetwork {
  readonly network: Network;
  /** The nodes of a devnet and the truth about them; `null` on any other network. */
  readonly truth: readonly DevnetNode[] | null;
  /** The `network.json` of a devnet; `null` on any other network. */
  readonly devnetFile: string | null;
}

/** The network of a program: a devnet that was started for it ends with it. */
export interface NetworkPart extends Part, ChosenNetwork {}

export interface OpenNetworkOptions {
  readonly choice: NetworkChoice;
  /** The number of active validators where the user knows better. */
  readonly activeValidators: number | undefined;
  /** Ends a start of a devnet that is under way. */
  readonly ending: AbortSignal;
  readonly logger: Logger;
}

/** For networks that nobody has counted. */
const CONFIGURED_ACTIVE_VALIDATORS = 1_000;

/** @throws NetworkError when its file cannot be used */
export async function openNetwork({ choice, ...options }: OpenNetworkOptions): Promise<NetworkPart> {
  if (choice.kind === 'devnet') return startDevnet(choice.devnet, options);
  return { ...partOf('the network'), ...(await readNetwork(choice, options.activeValidators)) };
}

/**
 * The network, as far as it is known beforehand: not one that is made at the start.
 * @throws NetworkError when its file cannot be used
 */
export async function readNetwork(
  choice: Exclude<NetworkChoice, { readonly kind: 'devnet' }>,
  activeValidators: number | undefined,
): Promise<ChosenNetwork> {
  const chosen = await named(choice);
  return activeValidators === undefined ? chosen : { ...chosen, network: { ...chosen.network, activeValidators } };
}

async function named(choice: Exclude<NetworkChoice, { readonly kind: 'devnet' }>): Promise<ChosenNetwork> {
  if (choice.kind === 'built-in') {
    return { network: builtInNetwork(choice.name), truth: null, devnetFile: null };
  }
  if (choice.kind === 'file') {
    const file = await readDevnetFile(choice.path);
    return { network: devnetNetwork(file), truth: file.nodes, devnetFile: choice.path };
  }
  const { location, name, allowPrivate } = choice;
  const { readNetworkConfig } = await import('../../io/networks/network-config.ts');
  const network = await readNetworkConfig({
    location,
    activeValidators: CONFIGURED_ACTIVE_VALIDATORS,
    ...(name === undefined ? {} : { name }),
  });
  const reached = allowPrivate ? { ...network, isPublic: false, dialsAnyAddress: true } : network;
  return { network: reached, truth: null, devnetFile: null };
}

/** In a process of its own. */
async function startDevnet(
  { dir, nodes, seed, slotMs, ...kinds }: DevnetChoice,
  { activeValidators, ending, logger }: Omit<OpenNetworkOptions, 'choice'>,
): Promise<NetworkPart> {
  await using stack = new AsyncDisposableStack();
  const folder = await devnetFolder(dir);
  stack.defer(folder.remove);
  logger.info({ nodes, seed, slotMs, dir: folder.path }, 'starting a devnet on loopback');
  const limits = activeValidators === undefined ? {} : { activeValidators };
  const devnet = await forkDevnet({ nodes, seed, slotMs, dir: folder.path, ...limits, ...kinds }, logger, ending);
  stack.defer(() => devnet.stop());
  const chosen = await readNetwork({ kind: 'file', path: devnet.networkPath }, activeValidators);
  const started = stack.move();
  return { ...partOf('the devnet', { stop: once(() => started.disposeAsync()) }), ...chosen };
}

/** The folder that was named, or one that is taken away again. */
export async function devnetFolder(
  dir: string | undefined,
): Promise<{ readonly path: string; remove(): Promise<void> }> {
  if (dir !== undefined) return { path: await prepareFolder(dir, '--dir'), remove: async () => {} };
  const path = await mkdtemp(join(tmpdir(), 'valtrack-devnet-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}
