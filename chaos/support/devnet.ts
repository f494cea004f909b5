import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { valtrack } from './processes.ts';

/** A `valtrack devnet` in a process of its own; resolves to the path of its `network.json`. */
export async function startDevnet(
  dir: string,
  { nodes, slotMs }: { readonly nodes: number; readonly slotMs: number },
): Promise<string> {
  const folder = join(dir, 'devnet');
  await mkdir(folder);
  const ready = Promise.withResolvers<void>();
  const devnet = valtrack(['devnet', '--nodes', String(nodes), '--slot-ms', String(slotMs), '--dir', folder], {
    stderrPath: join(dir, 'devnet.log'),
    onLine: () => ready.resolve(),
  });
  await Promise.race([ready.promise, once(devnet.child, 'close')]);
  if (!devnet.isRunning()) throw new Error(`the devnet does not start: ${devnet.said.join(' | ')}`);
  return join(folder, 'network.json');
}
