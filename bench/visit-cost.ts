import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { multiaddr } from '@multiformats/multiaddr';
import { firstValueFrom, timer } from 'rxjs';
import { forkDevnet } from '../src/devnet/fork.ts';

/**
 * What a visit costs a node of each client, over TCP: bytes to it and from it, and for how long it has a connection. With
 * another version's `src/cli.ts` to compare with, the two visit the same nodes in turn.
 * `node bench/visit-cost.ts [--visits 3] [--against ../before/src/cli.ts]`
 */

const { values } = parseArgs({
  options: { visits: { type: 'string', default: '3' }, against: { type: 'string' } },
});
const OURS = new URL('../src/cli.ts', import.meta.url).pathname;
const versions = values.against === undefined ? [OURS] : [values.against, OURS];
/** A node is asked again only when no quota of its client minds, and one that has banned us is asked no more. */
const PAUSE_MS = 2_000;

interface Cost {
  readonly upBytes: number;
  readonly downBytes: number;
  readonly ms: number;
}

/** Passes connections on to a node, and counts. */
async function relayTo(address: string) {
  const { host, port } = multiaddr(address).toOptions();
  const counted = { upBytes: 0, downBytes: 0, ms: 0 };
  const server = createServer((client) => {
    const openedMs = performance.now();
    const node = connect({ host, port });
    client.on('data', (chunk) => {
      counted.upBytes += chunk.length;
    });
    node.on('data', (chunk) => {
      counted.downBytes += chunk.length;
    });
    client.on('error', () => node.destroy()).on('close', () => node.destroy());
    node.on('error', () => client.destroy()).on('close', () => client.destroy());
    node.on('close', () => {
      counted.ms += performance.now() - openedMs;
    });
    client.pipe(node).pipe(client);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, counted, close: () => server.close() };
}

const dir = await mkdtemp(join(tmpdir(), 'valtrack-bench-'));
const devnet = await forkDevnet({ nodes: 100, seed: 1, slotMs: 1_000, faults: true, dir });

async function visit(cli: string, peerId: string, address: string): Promise<Cost | null> {
  const relay = await relayTo(address);
  const target = `/ip4/127.0.0.1/tcp/${relay.port}/p2p/${peerId}`;
  const env = { ...process.env, XDG_STATE_HOME: join(dir, cli === OURS ? 'ours' : 'other') };
  const args = [cli, 'probe', target, '--network', devnet.networkPath, '--log-level', 'silent'];
  const observed = await promisify(execFile)(process.execPath, args, { env }).then(
    () => true,
    () => false,
  );
  await firstValueFrom(timer(PAUSE_MS));
  relay.close();
  return observed ? relay.counted : null;
}

function mean(costs: readonly Cost[], of: (cost: Cost) => number): number {
  return costs.reduce((sum, cost) => sum + of(cost), 0) / costs.length;
}

const usual = devnet.network.nodes.filter(
  ({ behaviour, circumstance, multiaddrs }) =>
    behaviour === 'honest' && circumstance === 'roomy' && /\/ip4\/.*\/tcp\//.test(multiaddrs.join()),
);
for (const [client, nodes] of Map.groupBy(usual, (node) => node.client)) {
  const some = nodes.slice(0, Number(values.visits));
  const byVersion = versions.map((): Cost[] => []);
  for (const { peer_id, multiaddrs } of some) {
    const address = multiaddrs.find((each) => each.includes('/tcp/')) ?? '';
    for (const [index, cli] of versions.entries()) {
      const cost = await visit(cli, peer_id, address);
      if (cost !== null) byVersion[index]?.push(cost);
    }
  }
  const told = byVersion.map((costs) => {
    const [up, down, ms] = [
      ({ upBytes }: Cost) => upBytes,
      ({ downBytes }: Cost) => downBytes,
      (cost: Cost) => cost.ms,
    ];
    return {
      count: costs.length,
      bytes: mean(costs, up) + mean(costs, down),
      up: mean(costs, up),
      ms: mean(costs, ms),
    };
  });
  const [first, last] = [told[0], told.at(-1)];
  const ratio = versions.length < 2 ? '' : `; bytes ratio ${((last?.bytes ?? 0) / (first?.bytes ?? 0)).toFixed(2)}`;
  const each = told.map(
    ({ count, bytes, up, ms }) =>
      `${count} visits, ${bytes.toFixed(0)} bytes (${up.toFixed(0)} of them ours), ${(ms / 1_000).toFixed(1)} s connected`,
  );
  console.log(`${client.padEnd(11)}${each.join(' | ')}${ratio}`);
}
await devnet.stop();
await rm(dir, { recursive: true, force: true });
process.exit();
