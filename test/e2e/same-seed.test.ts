import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type ForkedDevnet, forkDevnet } from '../../src/devnet/fork.ts';
import type { DevnetFile, DevnetNode } from '../../src/devnet/network-file.ts';
import {
  fetchValidators,
  figuresFromParquet,
  figuresOf,
  rowCounts,
  storedObservations,
  subscriptionTruth,
  type Validator,
} from '../support/e2e/stored.ts';
import { everythingTaken } from '../support/e2e/stream.ts';
import { type LogLine, type Valtrack, valtrack } from '../support/e2e/valtrack.ts';
import { startNatsServer } from '../support/nats-server.ts';
import { tempDir } from '../support/temp-dir.ts';

/** The whole program on a network whose truth is known: once in one process, once as three with a real nats-server. */

const NODES = 16;
const SEED = 7;
const SLOT_MS = 150;
const EPOCHS = 2;
const KEY = 'a-key';
/** A message takes a moment from a busy node to us, and what a node has just begun or ended is seen as late. */
const DELIVERY_MS = 250;

interface Result {
  readonly validators: readonly Validator[];
  /** The truth when the crawl began and when it had ended: records change at epochs. */
  readonly truth: readonly [DevnetFile, DevnetFile];
  readonly dataDir: string;
  readonly subscriptions: string;
  readonly log: readonly LogLine[];
}

let folder: Awaited<ReturnType<typeof tempDir>>;
let keys: string;
const results = new Map<'run' | 'nats', Result>();

beforeAll(async () => {
  folder = await tempDir();
  keys = join(folder.path, 'keys.txt');
  await writeFile(keys, `# for the tests\n\n${KEY}\n`);
  results.set('run', await onDevnet('run', crawlWithRun));
  results.set('nats', await onDevnet('nats', crawlOverNats));
}, 150_000);
afterAll(() => folder.remove());

type Crawl = (devnet: ForkedDevnet, dataDir: string) => Promise<{ validators: Validator[]; log: readonly LogLine[] }>;

async function onDevnet(name: string, crawl: Crawl): Promise<Result> {
  const dir = join(folder.path, `${name}-devnet`);
  const dataDir = join(folder.path, `${name}-data`);
  const devnet = await forkDevnet({ nodes: NODES, seed: SEED, slotMs: SLOT_MS, dir, recordSubscriptions: true });
  const before = await networkFile(devnet);
  try {
    const { validators, log } = await crawl(devnet, dataDir);
    const subscriptions = join(dir, 'subscriptions.ndjson');
    return { validators, log, truth: [before, await networkFile(devnet)], dataDir, subscriptions };
  } finally {
    await devnet.stop();
  }
}

async function networkFile({ networkPath }: ForkedDevnet): Promise<DevnetFile> {
  return JSON.parse(await readFile(networkPath, 'utf8')) as DevnetFile;
}

/** Waits until everybody has been observed, as long as it takes, so many times and more epochs than that have passed. */
async function crawled(crawler: Valtrack, url: string): Promise<void> {
  const all = await crawler.line(({ msg }) => msg === `${NODES} of ${NODES} devnet nodes observed`, 60_000);
  const isLater = ({ msg }: LogLine, index: number) => msg === 'progress' && index > crawler.log.indexOf(all);
  await vi.waitFor(
    async () => {
      expect(crawler.log.filter(isLater).length).toBeGreaterThan(EPOCHS);
      const observations = (await fetchValidators(url, KEY)).map((row) => row.num_observations);
      expect(observations).toHaveLength(NODES);
      expect(Math.min(...observations)).toBeGreaterThanOrEqual(EPOCHS);
    },
    { timeout: 60_000, interval: 100 },
  );
}

async function crawlWithRun({ networkPath }: ForkedDevnet, dataDir: string) {
  const args = ['run', '--network', networkPath, '--data-dir', dataDir, '--http-port', '0', '--api-keys', keys];
  const run = valtrack(args);
  await crawled(run, await run.url());
  expect(await run.stop()).toBe(0);
  // Once more with nobody to crawl: what is stored is served again, and stands still.
  const quiet = join(folder.path, 'quiet.json');
  const network = JSON.parse(await readFile(networkPath, 'utf8')) as DevnetFile;
  await writeFile(quiet, JSON.stringify({ ...network, bootnodes: [], nodes: [] }));
  const again = valtrack(['run', '--network', quiet, ...args.slice(3), '--listen-ip', '127.0.0.2']);
  const validators = await fetchValidators(await again.url(), KEY);
  expect(await again.stop('SIGKILL')).toBe(null);
  return { validators, log: run.log };
}

async function crawlOverNats({ networkPath }: ForkedDevnet, dataDir: string) {
  const nats = await startNatsServer();
  try {
    const sentryDir = join(folder.path, 'nats-sentry');
    const consumer = valtrack([
      'consumer',
      '--nats-url',
      nats.url,
      '--data-dir',
      dataDir,
      '--http-port',
      '0',
      '--api-keys',
      keys,
    ]);
    const url = await consumer.url();
    const sentry = valtrack(['sentry', '--nats-url', nats.url, '--network', networkPath, '--data-dir', sentryDir]);
    await crawled(sentry, url);
    expect(await sentry.stop()).toBe(0);
    const published = Number(/([\d,]+) events were published/.exec(sentry.stdout())?.[1]?.replace(',', ''));
    expect(published).toBeGreaterThan(2 * NODES);
    await everythingTaken(nats.url);
    const validators = await fetchValidators(url, KEY);
    expect(await consumer.stop()).toBe(0);
    expect(consumer.stdout()).toMatch(/valtrack stopped after/);
    return { validators, log: [...sentry.log, ...consumer.log] };
  } finally {
    await nats.dispose();
  }
}

function truthOf(result: Result): Map<string, { node: DevnetNode; longLived: string[] }> {
  const [before, after] = result.truth;
  return new Map(
    before.nodes.map((node, index) => {
      const longLived = [node, after.nodes[index] as DevnetNode].map((at) => JSON.stringify(at.long_lived_subnets));
      return [node.peer_id, { node, longLived }];
    }),
  );
}

describe.each(['run', 'nats'] as const)('%s', (way) => {
  const result = () => results.get(way) as Result;

  it('has observed every honest node, and nobody else', () => {
    const honest = result().truth[0].nodes.filter(({ behaviour }) => behaviour === 'honest');
    expect(honest).toHaveLength(NODES);
    expect(
      result()
        .validators.map((row) => row.peer_id)
        .toSorted(),
    ).toEqual(honest.map((node) => node.peer_id).toSorted());
  });

  it('tells every client and every long-lived subnet as it is', () => {
    const truth = truthOf(result());
    for (const row of result().validators) {
      const { node, longLived } = truth.get(row.peer_id) ?? { node: null, longLived: [] };
      expect(row.client_version).toBe(node?.agent);
      expect(longLived).toContain(JSON.stringify(row.long_lived_subnets));
      expect(row['custody_group_count']).toBe(node?.custody_group_count);
    }
  });

  it('has observed no node more than once an epoch', () => {
    // A visit late in one epoch may come early in the next.
    const epochs = result().log.filter(({ msg, epoch }) => msg === 'progress' && epoch !== undefined).length;
    for (const row of result().validators) {
      expect(row.num_observations).toBeLessThanOrEqual(epochs + 1);
    }
  });

  it('has stored counts that agree with what each node was subscribed to when it was observed', async () => {
    const subscriptions = await subscriptionTruth(result().subscriptions);
    const bounds = new Map<string, { least: number; most: number }>();
    const wrong: object[] = [];
    for (const stored of await storedObservations(result().dataDir)) {
      const { peer_id: peerId, observed_from: fromMs, observed_to: toMs, subscribed, long_lived: longLived } = stored;
      const { always } = subscriptions.during(peerId, fromMs - DELIVERY_MS, toMs);
      const { ever } = subscriptions.during(peerId, fromMs - DELIVERY_MS, toMs + DELIVERY_MS);
      const seen = new Set(subscribed);
      const missed = [...always.difference(seen)];
      const invented = [...seen.difference(ever)];
      if (missed.length + invented.length > 0) wrong.push({ ...stored, missed, invented });
      if (longLived === null) continue;
      const long = new Set(longLived);
      const { least, most } = bounds.get(peerId) ?? { least: 0, most: 0 };
      bounds.set(peerId, {
        least: Math.max(least, always.difference(long).size),
        most: Math.max(most, ever.difference(long).size),
      });
    }
    expect(wrong).toEqual([]);
    let exact = 0;
    for (const { peer_id: peerId, max_validator_count: count } of result().validators) {
      const { least, most } = bounds.get(peerId) ?? { least: -1, most: -1 };
      expect(count).toBeGreaterThanOrEqual(least);
      expect(count).toBeLessThanOrEqual(most);
      if (least === most) exact++;
    }
    // For most nodes the truth leaves no room at all.
    expect(exact).toBeGreaterThan(NODES / 2);
  });

  it('serves exactly what the Parquet files say', async () => {
    const { dataDir, validators } = result();
    expect(figuresOf(validators)).toEqual(await figuresFromParquet(dataDir));
    for (const table of ['metadata_events', 'discovery_events']) {
      const { rows, ids } = await rowCounts(dataDir, table);
      expect(rows).toBe(ids);
      expect(rows).toBeGreaterThanOrEqual(NODES);
    }
  });

  it('had nothing to complain about', () => {
    expect(result().log.filter(({ level }) => level >= 40)).toEqual([]);
  });
});

it('is the same network either way: same peers, clients and long-lived subnets', () => {
  const [run, nats] = [results.get('run') as Result, results.get('nats') as Result];
  const steady = ({ truth: [before, after] }: Result) =>
    new Set(
      before.nodes
        .filter((node, index) => `${node.long_lived_subnets}` === `${after.nodes[index]?.long_lived_subnets}`)
        .map((node) => node.peer_id),
    );
  const both = steady(run).intersection(steady(nats));
  expect(both.size).toBeGreaterThan(NODES / 2);
  const told = ({ validators }: Result) =>
    validators
      .map(({ peer_id, client_version, long_lived_subnets }) => {
        return { peer_id, client_version, long_lived_subnets: both.has(peer_id) ? long_lived_subnets : 'changing' };
      })
      .sort((a, b) => (a.peer_id < b.peer_id ? -1 : 1));
  expect(told(run)).toEqual(told(nats));
});
