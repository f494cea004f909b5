import { ENR } from '@chainsafe/enr';
import { firstValueFrom, merge, NEVER, Subject, throwError, timeout } from 'rxjs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createLogger } from '../../../src/io/logging/logger.ts';
import { type CrawledDevnet, crawlDevnet } from '../../support/e2e/crawled-devnet.ts';
import { type NodeWatch, watchNodes } from '../../support/e2e/watch-nodes.ts';
import { tcpServerOn, udpSocketOn } from '../../support/open-handles.ts';
import { tempDir } from '../../support/temp-dir.ts';

/** Parts of the crawler that are taken away from under it: each comes back by itself, and the others go on. */

const NODES = 5;

let folder: Awaited<ReturnType<typeof tempDir>>;
let crawled: CrawledDevnet;
let watched: NodeWatch;
const log: string[] = [];
/** Breaks the epoch clock, and with it the pipeline. */
const breaks$ = new Subject<never>();
let broken = 0;

/** Fails again and again while the others are under way: each restart waits twice as long as the one before. */
let givingUp: Promise<never>;

beforeAll(async () => {
  givingUp = brokenFromTheStart();
  // Whoever awaits it is told.
  givingUp.catch(() => undefined);
  folder = await tempDir();
  const logger = createLogger({
    level: 'info',
    format: 'json',
    write: (line) => log.push((JSON.parse(line) as { msg: string }).msg),
  });
  crawled = await crawlDevnet(
    { nodes: NODES, seed: 3, slotMs: 100, dir: folder.path },
    {
      logger,
      experiment: (usual) => ({ ...usual, epochTick: merge(usual.epochTick, broken++ === 0 ? breaks$ : NEVER) }),
    },
  );
  watched = watchNodes(crawled);
  await everybodyObservedSince(0);
});
afterAll(async () => {
  watched.stop();
  await crawled.stop();
  await folder.remove();
});

/** Waits until everybody has been observed after a moment. */
async function everybodyObservedSince(sinceMs: number): Promise<void> {
  await vi.waitFor(
    () => {
      const peers = watched.observations.filter(({ observedFromMs }) => observedFromMs > sinceMs);
      expect(new Set(peers.map(({ peerId }) => peerId)).size).toBe(NODES);
    },
    { timeout: 20_000, interval: 100 },
  );
}

async function hasCycled(name: string, since: number): Promise<void> {
  await vi.waitFor(() => {
    expect(crawled.sentry.problems()).toEqual([expect.stringMatching(`^${name} has failed and is started again: `)]);
  });
  await vi.waitFor(() => expect(crawled.sentry.problems()).toEqual([]));
  expect(log.slice(since)).toEqual([`${name} has failed and is started again`, `${name} runs again`]);
}

const tcpPort = () => Number(/tcp\/(\d+)/.exec(crawled.sentry.addresses.join(' '))?.[1]);

describe('the crawler', () => {
  it('opens the socket of discovery again, on the same port', async () => {
    const before = log.length;
    const udpPort = ENR.decodeTxt(crawled.sentry.enr).udp ?? 0;
    udpSocketOn(udpPort).close();
    await hasCycled('discovery', before);
    expect(udpSocketOn(udpPort)).toBeDefined();
    await everybodyObservedSince(Date.now());
  }, 60_000);

  it('starts libp2p again on the same port, and blames no peer for it', async () => {
    const before = log.length;
    const { failed } = crawled.sentry.stats();
    const port = tcpPort();
    tcpServerOn(port).close();
    await hasCycled('the libp2p host', before);
    expect(tcpServerOn(port).listening).toBe(true);
    await everybodyObservedSince(Date.now());
    // Visits that were under way were cut off; none was begun while nobody could dial.
    expect(crawled.sentry.stats().failed - failed).toBeLessThanOrEqual(NODES);
  }, 60_000);

  it('starts the crawl again with the peers it knew', async () => {
    const before = log.length;
    const { peers, observed } = crawled.sentry.stats();
    breaks$.error(new Error('the clock is broken'));
    await hasCycled('the crawl', before);
    expect(crawled.sentry.stats().peers.known).toBe(peers.known);
    await everybodyObservedSince(Date.now());
    expect(crawled.sentry.stats().observed).toBeGreaterThanOrEqual(observed + NODES);
    const restarts = Object.fromEntries(crawled.sentry.parts.map((part) => [part.name, part.restarts]));
    expect(restarts).toEqual({ 'the libp2p host': 1, discovery: 1, 'the crawl': 1 });
    expect(watched.broken).toEqual([]);
  }, 60_000);
});

it('a pipeline that is broken from the start fails for good, saying so', async () => {
  await expect(givingUp).rejects.toMatchObject({
    message: 'the crawl failed 5 times within 10 minutes, the last time with: no clock',
  });
}, 60_000);

/** Rejects with what a crawl ends with that cannot begin. */
async function brokenFromTheStart(): Promise<never> {
  const other = await tempDir();
  const hopeless = await crawlDevnet(
    { nodes: 1, seed: 3, slotMs: 100, dir: other.path },
    {
      logger: createLogger({ level: 'silent', format: 'json' }),
      experiment: (usual) => ({ ...usual, epochTick: throwError(() => new Error('no clock')) }),
    },
  );
  try {
    return await firstValueFrom(hopeless.sentry.failed$.pipe(timeout(25_000)));
  } finally {
    await hopeless.stop();
    await other.remove();
  }
}
