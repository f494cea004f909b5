import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { firstValueFrom, timer } from 'rxjs';
import type { DevnetNode } from '../src/devnet/network-file.ts';
import { type Grudge, grudgesIn, readPenalties } from '../src/devnet/penalties.ts';
import { crawlDevnet } from '../test/support/e2e/crawled-devnet.ts';
import { epochStartMs, watchNodes } from '../test/support/e2e/watch-nodes.ts';

/**
 * A crawl of a devnet whose nodes treat the crawler as the clients do: who penalised and banned it for what and when,
 * and who was observed in which epoch.
 * Faulty nodes take part, and are left out of the figures.
 * `node bench/devnet-manners.ts [--nodes 100] [--slot-ms 500] [--epochs 10] [--first-epoch 10] [--seed 1]`
 */

const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '100' },
    'slot-ms': { type: 'string', default: '500' },
    epochs: { type: 'string', default: '10' },
    'first-epoch': { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
  },
});
const firstEpoch = Number(values['first-epoch']);
const lastEpoch = firstEpoch + Number(values.epochs) - 1;

const dir = await mkdtemp(join(tmpdir(), 'valtrack-bench-'));
const crawled = await crawlDevnet({
  nodes: Number(values.nodes),
  seed: Number(values.seed),
  slotMs: Number(values['slot-ms']),
  faults: true,
  firstEpoch,
  dir,
});
const { network, penaltiesPath } = crawled.devnet;
const startedMs = Date.now();
const watch = watchNodes(crawled);
await firstValueFrom(timer(Math.max(0, epochStartMs(network, lastEpoch + 1) - Date.now())));

// They meet others whom they do not know: records of nobody, which some of them spread.
const penalties = (await readPenalties(penaltiesPath)).filter(({ peer_id }) => peer_id === crawled.sentry.peerId);
const grudges = grudgesIn(penalties);
const epochs = Array.from({ length: lastEpoch - firstEpoch + 1 }, (_, index) => firstEpoch + index);
const seconds = (atMs: number | null) => (atMs === null ? '' : `${((atMs - startedMs) / 1000).toFixed(1)} s`);
const sum = (some: readonly Grudge[]) =>
  [
    ...Map.groupBy(
      penalties.filter(({ points, node }) => points !== 0 && some.some((one) => one.node === node)),
      ({ event }) => event,
    ),
  ]
    .map(([event, all]) => `${all.length} x ${event}`)
    .join(', ');

const honest = network.nodes.filter(({ behaviour }) => behaviour === 'honest');
for (const [client, nodes] of Map.groupBy(honest, (node) => node.client)) {
  const held = grudges.filter((grudge) => nodes.some(({ peer_id }) => peer_id === grudge.node));
  const banned = held.filter(({ bannedAtMs }) => bannedAtMs !== null);
  const first = Math.min(...banned.map(({ bannedAtMs }) => bannedAtMs ?? Number.POSITIVE_INFINITY));
  const seen = epochs.map((epoch) => nodes.filter(({ peer_id }) => watch.observedIn(epoch).has(peer_id)).length);
  const penalised = held.filter(({ reasons }) => Object.keys(reasons).length > 0).length;
  const worst = held.map(({ worstScore }) => worstScore.toFixed(0)).join(' ');
  console.log(
    `${client.padEnd(11)}${nodes.length} nodes, ${penalised} penalised, ${banned.length} banned` +
      `${banned.length === 0 ? '' : ` (first after ${seconds(first)})`}; observed ${seen.join(' ')}`,
  );
  console.log(`           worst scores ${worst}; ${sum(held)}`);
}
const isOdd = ({ circumstance, reach }: DevnetNode) => circumstance !== 'roomy' || reach !== 'tcp';
for (const [kind, nodes] of Map.groupBy(honest.filter(isOdd), (node) => `${node.circumstance}, ${node.reach}`)) {
  const seen = epochs.map((epoch) => nodes.filter(({ peer_id }) => watch.observedIn(epoch).has(peer_id)).length);
  console.log(`${kind}: ${nodes.length} nodes: observed ${seen.join(' ')}`);
}
for (const node of honest) {
  const missed = epochs.filter((epoch) => !watch.observedIn(epoch).has(node.peer_id));
  const failures = [...watch.failuresOf(node.peer_id)].join(' ');
  if (missed.length > 0) {
    console.log(`missed ${node.client} ${node.circumstance} ${node.reach} in epochs ${missed.join(' ')}: ${failures}`);
  }
}
for (const { at_ms, node, client, event, points, score, banned } of penalties) {
  const known = honest.find(({ peer_id }) => peer_id === node);
  if (points === 0 || known === undefined) continue;
  console.log(
    `${seconds(at_ms)} ${client} ${known.circumstance} ${known.reach}: ${event}, ${points} to ${score.toFixed(1)}${banned ? ', banned' : ''}`,
  );
}
const quiet = Map.groupBy(
  penalties.filter(({ points }) => points === 0),
  ({ client, event }) => `${client} ${event}`,
);
console.log([...quiet].map(([event, all]) => `${all.length} x ${event}`).join(', '));

watch.stop();
await crawled.stop();
await rm(dir, { recursive: true, force: true });
process.exit();
