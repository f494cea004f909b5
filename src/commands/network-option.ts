import { BUILT_IN_NETWORKS } from '../consensus/networks.ts';
import { exists } from '../io/storage/files/disk-steps.ts';
import type { DevnetChoice, NetworkChoice } from '../programs/network/open-network.ts';
import type { Options } from './options.ts';
import { UsageError } from './usage-error.ts';

/** Where ephemery's current genesis is published; it begins anew every week. */
const EPHEMERY_CONFIG = 'https://ephemery.dev/latest/config.yaml';

/**
 * The network that `--network` names.
 * @throws UsageError when there is no such network
 */
export async function networkChoice(options: Options): Promise<NetworkChoice> {
  const named = await networkNamed(options);
  return named ?? { kind: 'devnet', devnet: devnetChoice(options) };
}

/** The same for commands that start none: `null` for `devnet`. @throws UsageError when there is no such network */
export async function networkNamed({
  network: name,
  allowPrivate,
}: Pick<Options, 'network' | 'allowPrivate'>): Promise<Exclude<NetworkChoice, { kind: 'devnet' }> | null> {
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
  if (builtIn !== undefined) return { kind: 'built-in', name: builtIn };
  if (isConfig) return { kind: 'config', location, allowPrivate, ...(name === 'ephemery' ? { name } : {}) };
  if (name.includes('/') || name.endsWith('.json')) {
    if (!(await exists(name))) throw new UsageError(`--network ${name}: there is no such file`);
    return { kind: 'file', path: name };
  }
  throw new UsageError(
    `--network must be one of ${BUILT_IN_NETWORKS.join(', ')}, ephemery, devnet, a config.yaml or a network.json, not "${name}"`,
  );
}

type DevnetFlags = Pick<Options, 'nodes' | 'seed' | 'slotMs' | 'dir' | 'faults' | 'forkAt' | 'blobForkAt'>;

/** The devnet that the options describe. */
export function devnetChoice({ nodes, seed, slotMs, dir, faults, forkAt, blobForkAt }: DevnetFlags): DevnetChoice {
  const forkIn = {
    ...(forkAt === undefined ? {} : { regularAtEpoch: forkAt }),
    ...(blobForkAt === undefined ? {} : { blobAtEpoch: blobForkAt }),
  };
  return {
    nodes,
    seed,
    slotMs,
    dir,
    ...(faults === undefined ? {} : { faults }),
    ...(Object.keys(forkIn).length === 0 ? {} : { forkIn }),
  };
}
