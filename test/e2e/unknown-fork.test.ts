import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeNodeRecord } from '../../src/consensus/node-record.ts';
import { forkDigest } from '../../src/devnet/schedule.ts';
import { createLogger } from '../../src/io/logging/logger.ts';
import { type CrawledDevnet, crawlDevnet } from '../support/e2e/crawled-devnet.ts';
import { type NodeWatch, untilEpoch, watchNodes } from '../support/e2e/watch-nodes.ts';
import { tempDir } from '../support/temp-dir.ts';

/** A crawl over a fork of which the crawler was not told. */

const NODES = 8;
const SLOT_MS = 150;
const FORK_EPOCH = 12;
const END_EPOCH = 15;
const LATE_MS = 8 * SLOT_MS;

let folder: Awaited<ReturnType<typeof tempDir>>;
let crawled: CrawledDevnet;
let watch: NodeWatch;
const log: Record<string, unknown>[] = [];

beforeAll(async () => {
  folder = await tempDir();
  const logger = createLogger({
    level: 'warn',
    format: 'json',
    write: (line) => log.push(JSON.parse(line) as Record<string, unknown>),
  });
  crawled = await crawlDevnet(
    { nodes: NODES, seed: 5, slotMs: SLOT_MS, forkIn: { regularAtEpoch: FORK_EPOCH }, dir: folder.path },
    { logger, told: (file) => ({ ...file, forks: file.forks?.filter(({ epoch }) => epoch !== FORK_EPOCH) }) },
  );
  watch = watchNodes(crawled);
  await untilEpoch(crawled.devnet, END_EPOCH, LATE_MS);
}, 90_000);
afterAll(async () => {
  watch.stop();
  await crawled.stop();
  await folder.remove();
});

describe('a fork that the configuration does not know', () => {
  it('is followed: every node is observed in every epoch after it', () => {
    for (const epoch of [FORK_EPOCH + 1, FORK_EPOCH + 2]) {
      const observed = watch.observedIn(epoch);
      expect(
        crawled.devnet.network.nodes.filter(({ peer_id }) => !observed.has(peer_id)),
        `epoch ${epoch}`,
      ).toEqual([]);
    }
    expect(watch.broken).toEqual([]);
  });

  it('is told once, with its digest as the devnet has it', () => {
    const {
      genesis_validators_root: genesisValidatorsRoot,
      forks,
      blob_schedule: blobSchedule,
    } = crawled.devnet.network;
    const digest = forkDigest({ genesisValidatorsRoot, forks, blobSchedule }, FORK_EPOCH);
    expect(log.filter(({ msg }) => String(msg).includes('fork'))).toEqual([
      expect.objectContaining({
        msg: 'nodes announce a fork that the configuration does not know; it is scheduled',
        epoch: FORK_EPOCH,
        digest,
        places: NODES,
        of: NODES,
      }),
    ]);
    const own = decodeNodeRecord(crawled.sentry.enr);
    expect(own).toMatchObject({ ok: true, value: { eth2: { forkDigest: digest } } });
  });
});
