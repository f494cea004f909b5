import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { firstValueFrom, timer } from 'rxjs';
import { startDevnet } from '../src/devnet/devnet.ts';

/**
 * How long a devnet takes to start, and what a node of it costs in memory and in time while nobody looks, after so many
 * seconds in which nodes behind a router get to know the others. With 100 nodes or more there are all kinds of them.
 * `node bench/devnet-start.ts [nodes] [warm-up seconds]`
 */

const nodes = Number(process.argv[2] ?? 50);
const warmUpMs = Number(process.argv[3] ?? 0) * 1000;
const WATCH_MS = 5000;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;
const memory = () => {
  collectGarbage();
  return process.memoryUsage();
};
const megabytes = (bytes: number) => Number((bytes / 1e6).toFixed(2));

const dir = await mkdtemp(join(tmpdir(), 'valtrack-bench-'));
const options = { seed: 1, slotMs: 250, recordSubscriptions: true };

// One node first, so that code and libraries are not counted as the cost of nodes.
const single = await startDevnet({ ...options, nodes: 1, dir: join(dir, 'single') });
const before = memory();

const beginMs = performance.now();
const devnet = await startDevnet({ ...options, nodes, dir });
const startMs = performance.now() - beginMs;

if (warmUpMs > 0) await firstValueFrom(timer(warmUpMs));
const cpuBefore = process.cpuUsage();
await firstValueFrom(timer(WATCH_MS));
const cpu = process.cpuUsage(cpuBefore);
const after = memory();

const stopBeginMs = performance.now();
await devnet.stop();
const stopMs = performance.now() - stopBeginMs;
await single.stop();
await rm(dir, { recursive: true });

console.log(
  JSON.stringify({
    nodes,
    start_ms: Math.round(startMs),
    stop_ms: Math.round(stopMs),
    rss_mb_per_node: megabytes((after.rss - before.rss) / nodes),
    heap_mb_per_node: megabytes((after.heapUsed - before.heapUsed) / nodes),
    idle_cpu_percent: Number(((cpu.user + cpu.system) / 1000 / WATCH_MS) * 100).toFixed(1),
  }),
);
