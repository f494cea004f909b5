import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { forkSteps } from '../../consensus/fork-schedule.ts';
import type { ForkStep, Network } from '../../consensus/network.ts';
import { NetworkError } from './network-error.ts';

/** A devnet's `network.json`: how to reach it, and the truth about its nodes. */

const hexOf = (bytes: number) =>
  z
    .string()
    .regex(new RegExp(`^(0x)?[0-9a-fA-F]{${bytes * 2}}$`), `expected ${bytes} bytes of hex`)
    .transform((text) => text.replace(/^0x/, '').toLowerCase());

const epoch = z.int().nonnegative();

const devnetNode = z.object({
  peer_id: z.string(),
  enr: z.string(),
  multiaddrs: z.array(z.string()),
  client: z.string(),
  validators: z.int().nonnegative(),
  stake_eth: z.number(),
  custody_group_count: z.int(),
  long_lived_subnets: z.array(z.int()),
  behaviour: z.string(),
  city: z.string().nullish(),
  country: z.string().nullish(),
  asn: z.union([z.string(), z.number()]).nullish(),
});
export type DevnetNode = z.output<typeof devnetNode>;

const devnetFile = z.object({
  genesis_time_ms: z.number().positive(),
  slot_ms: z.number().positive(),
  slots_per_epoch: z.int().positive(),
  genesis_validators_root: hexOf(32),
  fork_digest: hexOf(4),
  active_validators: z.int().positive(),
  bootnodes: z.array(z.string()),
  nodes: z.array(devnetNode),
  forks: z.array(z.object({ name: z.string(), epoch, version: hexOf(4) })).optional(),
  blob_schedule: z.array(z.object({ epoch, max_blobs: z.int().nonnegative() })).optional(),
});
export type DevnetFile = z.output<typeof devnetFile>;

/** Reads a `network.json`. @throws NetworkError with one line that names the file and the field. */
export async function readDevnetFile(path: string): Promise<DevnetFile> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new NetworkError(`network file ${path} cannot be read (${error.code ?? error.message})`);
  });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new NetworkError(`network file ${path} is not JSON; write it anew with "valtrack devnet --dir"`);
  }
  const parsed = devnetFile.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new NetworkError(`network file ${path} is not valid: ${issue?.path.join('.')}: ${issue?.message}`);
}

/** The network that a devnet's file describes. Its nodes are on loopback, so it is not public. */
export function devnetNetwork(file: DevnetFile): Network {
  return {
    name: 'devnet',
    isPublic: false,
    genesisTimeMs: file.genesis_time_ms,
    slotMs: file.slot_ms,
    slotsPerEpoch: file.slots_per_epoch,
    genesisValidatorsRoot: file.genesis_validators_root,
    forkSteps: stepsOf(file),
    bootnodes: file.bootnodes,
    activeValidators: file.active_validators,
  };
}

/** Without a schedule the digest holds for ever. */
function stepsOf({ forks, blob_schedule = [], genesis_validators_root, fork_digest }: DevnetFile): ForkStep[] {
  if (forks === undefined || forks.length === 0)
    return [{ epoch: 0, name: 'devnet', forkVersion: '00000000', digest: fork_digest, blobs: null }];
  const blobs = blob_schedule.map((entry) => ({ epoch: entry.epoch, maxBlobsPerBlock: entry.max_blobs }));
  return forkSteps(genesis_validators_root, forks, blobs, blobs[0] ?? { epoch: 0, maxBlobsPerBlock: 9 });
}
