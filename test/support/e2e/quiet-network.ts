import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Writes the `network.json` of a network on loopback in which nobody is; a crawler starts on it and finds nothing. */
export async function quietNetwork(dir: string, changes: Record<string, unknown> = {}): Promise<string> {
  const path = join(dir, 'network.json');
  const network = {
    genesis_time_ms: Date.now() - 60_000,
    slot_ms: 250,
    slots_per_epoch: 32,
    genesis_validators_root: '11'.repeat(32),
    fork_digest: 'a1b2c3d4',
    active_validators: 1_000,
    bootnodes: [],
    nodes: [],
  };
  await writeFile(path, JSON.stringify({ ...network, ...changes }));
  return path;
}
