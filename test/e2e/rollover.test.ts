import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeEvent, METADATA_RECEIVED, type MetadataReceivedEvent } from '../../src/consensus/events.ts';
import { decodeNodeRecord, type NodeRecord } from '../../src/consensus/node-record.ts';
import { forkDigest } from '../../src/devnet/schedule.ts';
import { type CrawledDevnet, crawlDevnet, READER } from '../support/e2e/crawled-devnet.ts';
import { epochAt, type NodeWatch, untilEpoch, watchNodes } from '../support/e2e/watch-nodes.ts';
import { tempDir } from '../support/temp-dir.ts';

/** A crawl over a fork and a change of the blob parameters, both of which change the fork digest. */

const NODES = 10;
const SLOT_MS = 150;
const FORK_EPOCH = 12;
const BLOB_EPOCH = 14;
/** The devnet begins in epoch 10; what is left of it is for finding everybody. */
const WHOLE_EPOCHS = [11, 12, 13, 14, 15] as const;
const END_EPOCH = 16;
const FAR_FUTURE_EPOCH = 2n ** 64n - 1n;
/** A node whose machine is busy learns of a new slot late. */
const NODE_LATE_MS = 8 * SLOT_MS;

let folder: Awaited<ReturnType<typeof tempDir>>;
let crawled: CrawledDevnet;
let watch: NodeWatch;
const ownRecordIn = new Map<number, NodeRecord>();
const events: MetadataReceivedEvent[] = [];

beforeAll(async () => {
  folder = await tempDir();
  const forkIn = { regularAtEpoch: FORK_EPOCH, blobAtEpoch: BLOB_EPOCH };
  crawled = await crawlDevnet({ nodes: NODES, seed: 5, slotMs: SLOT_MS, forkIn, dir: folder.path });
  const { sentry, log, devnet } = crawled;
  log.deliveries({ durable: READER, maxInFlight: 64 }).subscribe((delivery) => {
    const decoded = decodeEvent(delivery.subject, delivery.payload);
    if (decoded.ok && decoded.value.subject === METADATA_RECEIVED) events.push(decoded.value.event);
    delivery.ack();
  });
  watch = watchNodes(crawled, (epoch) => {
    const own = decodeNodeRecord(sentry.enr);
    if (own.ok) ownRecordIn.set(epoch, own.value);
  });
  await untilEpoch(devnet, END_EPOCH, NODE_LATE_MS);
}, 90_000);
afterAll(async () => {
  watch.stop();
  await crawled.stop();
  await folder.remove();
});

/** As the devnet's own arithmetic has it. */
function digestAt(epoch: number): string {
  const { genesis_validators_root, forks, blob_schedule } = crawled.devnet.network;
  return forkDigest({ genesisValidatorsRoot: genesis_validators_root, forks, blobSchedule: blob_schedule }, epoch);
}
const epochOf = (timeMs: number) => epochAt(crawled.devnet.network, timeMs);

describe('a crawl over two changes of the fork digest', () => {
  it('observes every node in every epoch', () => {
    const missed = (epoch: number) =>
      crawled.devnet.network.nodes
        .filter(({ peer_id }) => !watch.observedIn(epoch).has(peer_id))
        .map(({ client, peer_id }) => [client, peer_id, ...watch.failuresOf(peer_id)].join(' '));
    for (const epoch of WHOLE_EPOCHS) expect(missed(epoch), `epoch ${epoch}`).toEqual([]);
    expect(watch.broken).toEqual([]);
  });

  it('reports the digest of the moment', () => {
    expect(new Set([11, FORK_EPOCH, BLOB_EPOCH].map(digestAt)).size).toBe(3);
    expect(events.length).toBeGreaterThanOrEqual(NODES * WHOLE_EPOCHS.length);
    for (const { observed_from, observed_to, fork_digest, id } of events) {
      const moments = [(observed_from ?? 0) - NODE_LATE_MS, observed_from ?? 0, observed_to ?? 0];
      expect(moments.map(epochOf).map(digestAt), id).toContain(fork_digest);
    }
    for (const epoch of [11, FORK_EPOCH + 1, BLOB_EPOCH + 1]) {
      const late = events.filter(({ observed_from }) => epochOf((observed_from ?? 0) - NODE_LATE_MS) === epoch);
      const settled = late.filter(({ observed_to }) => epochOf(observed_to ?? 0) === epoch);
      expect(new Set(settled.map(({ fork_digest }) => fork_digest))).toEqual(new Set([digestAt(epoch)]));
    }
  });

  it('says in its own record which fork it is on, and which comes next', () => {
    const { forks } = crawled.devnet.network;
    const before = forks.findLast(({ epoch }) => epoch < FORK_EPOCH)?.version;
    const after = forks.find(({ epoch }) => epoch === FORK_EPOCH)?.version;
    expect(before).not.toBe(after);
    const says = (epoch: number) => ({
      eth2: ownRecordIn.get(epoch)?.eth2,
      nfd: ownRecordIn.get(epoch)?.nextForkDigest,
    });
    const beforeFork = {
      eth2: { forkDigest: digestAt(11), nextForkVersion: after, nextForkEpoch: BigInt(FORK_EPOCH) },
      nfd: digestAt(FORK_EPOCH),
    };
    const beforeBlobs = {
      eth2: { forkDigest: digestAt(FORK_EPOCH), nextForkVersion: after, nextForkEpoch: BigInt(BLOB_EPOCH) },
      nfd: digestAt(BLOB_EPOCH),
    };
    const atLast = {
      eth2: { forkDigest: digestAt(BLOB_EPOCH), nextForkVersion: after, nextForkEpoch: FAR_FUTURE_EPOCH },
      nfd: '00000000',
    };
    const expected = [beforeFork, beforeBlobs, beforeBlobs, atLast, atLast];
    expect(WHOLE_EPOCHS.map(says)).toEqual(expected);
    const sequences = WHOLE_EPOCHS.map((epoch) => ownRecordIn.get(epoch)?.sequence ?? 0n);
    const [first = 0n] = sequences;
    expect(sequences.map((sequence) => sequence > first)).toEqual([false, true, true, true, true]);
    expect(new Set([...ownRecordIn.values()].map(({ peerId }) => peerId))).toEqual(new Set([crawled.sentry.peerId]));
  });
});
