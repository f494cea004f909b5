import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { firstValueFrom, timer } from 'rxjs';
import { crawlDevnet } from '../test/support/e2e/crawled-devnet.ts';
import { epochStartMs, isNamed, watchNodes } from '../test/support/e2e/watch-nodes.ts';

/**
 * A crawl of a devnet with every client, every reach and every fault: who was observed in which epoch, what was said of
 * faulty nodes, and how memory went. `node bench/devnet-faults.ts [--nodes 200] [--slot-ms 1000] [--epochs 4] [--seed 1]`
 */

const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '200' },
    'slot-ms': { type: 'string', default: '1000' },
    epochs: { type: 'string', default: '4' },
    seed: { type: 'string', default: '1' },
  },
});
/** The devnet begins in epoch 10. What is left of it, and the next, are for finding everybody. */
const FIRST_JUDGED = 12;
const lastJudged = FIRST_JUDGED + Number(values.epochs) - 1;
/** Observations that begin in an epoch end in the next one. */
const LATE_MS = 3_000;

let threw = 0;
for (const event of ['unhandledRejection', 'uncaughtException'] as const) {
  process.on(event, (error) => {
    threw++;
    console.log(`${event}: ${String(error)}`);
  });
}
const megabytes = () => Math.round(process.memoryUsage().rss / 1e6);

const dir = await mkdtemp(join(tmpdir(), 'valtrack-bench-'));
const nodes = Number(values.nodes);
const crawled = await crawlDevnet({
  nodes,
  seed: Number(values.seed),
  slotMs: Number(values['slot-ms']),
  faults: true,
  dir,
});
const { network } = crawled.devnet;
const watch = watchNodes(crawled, (epoch) => console.log(`epoch ${epoch} begins, RSS ${megabytes()} MB`));
await firstValueFrom(timer(Math.max(0, epochStartMs(network, lastJudged + 1) + LATE_MS - Date.now())));

const honest = network.nodes.filter(({ behaviour }) => behaviour === 'honest');
const epochs = Array.from({ length: lastJudged - 9 }, (_, index) => 10 + index);
console.log(`\nhonest nodes observed in epochs ${epochs.join(' ')} (${FIRST_JUDGED} to ${lastJudged} are whole)`);
for (const by of ['reach', 'client'] as const) {
  for (const name of [...new Set(honest.map((node) => node[by]))].sort()) {
    const group = honest.filter((node) => node[by] === name);
    const seen = epochs.map((epoch) => group.filter((node) => watch.observedIn(epoch).has(node.peer_id)).length);
    console.log(`${by.padEnd(7)}${name.padEnd(14)}${String(group.length).padStart(4)} nodes: ${seen.join(' ')}`);
  }
}
console.log('\nfaulty nodes');
for (const { behaviour, peer_id, ...node } of network.nodes.filter((one) => one.behaviour !== 'honest')) {
  const failures = watch.failuresOf(peer_id);
  const verdict = isNamed({ behaviour, peer_id, ...node }, failures) ? 'named' : 'NOT NAMED';
  console.log(`${behaviour.padEnd(28)}${verdict.padEnd(10)} ${[...failures].sort().join(' ')}`);
}
const wrongly = honest.filter(({ peer_id }) => watch.failuresOf(peer_id).size > 0);
console.log(`\nhonest nodes of which something was said to be wrong: ${wrongly.length}`);
for (const { client, reach, peer_id } of wrongly) console.log(client, reach, [...watch.failuresOf(peer_id)].join(' '));
console.log(`thrown: ${threw}; pipeline broken: ${watch.broken.length}; RSS ${megabytes()} MB`);

watch.stop();
await crawled.stop();
await rm(dir, { recursive: true, force: true });
