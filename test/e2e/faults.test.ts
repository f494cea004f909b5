import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { filter, firstValueFrom, interval } from 'rxjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLIENT_NAMES } from '../../src/devnet/clients.ts';
import { FAULT_NAMES, FAULTS, type Fault } from '../../src/devnet/faults.ts';
import { REACHES } from '../../src/devnet/kinds.ts';
import type { DevnetNode } from '../../src/devnet/network-file.ts';
import { type Grudge, grudgesIn, readPenalties } from '../../src/devnet/penalties.ts';
import { type CrawledDevnet, crawlDevnet } from '../support/e2e/crawled-devnet.ts';
import { isNamed, type NodeWatch, untilEpoch, watchNodes } from '../support/e2e/watch-nodes.ts';
import { tempDir } from '../support/temp-dir.ts';

/** A crawl of a devnet with every client, every way of being reached and every fault. `bench/devnet-faults.ts` is larger. */

/** With this seed, the fewest that have somebody of every kind. */
const NODES = 56;
const SEED = 5;
const SLOT_MS = 500;
/** The devnet begins in this one. */
const FIRST_EPOCH = 10;
const FOUND_BY_EPOCH = 11;
const LATE_MS = 2_000;
/** By then a second crawl round has been made: who lost the datagrams of the first is asked again in that. */
const NAMED_BY_EPOCH = 16;
const LOOK_MS = 100;
const MAX_HEAP_GROWTH_BYTES = 24e6;
/** A Lighthouse that syncs asks whoever it has met, and takes a point of a hundred from whoever has no blocks. */
const UNAVOIDABLE: ReadonlySet<string> = new Set(['blocks refused']);

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;
function heapBytes(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

let folder: Awaited<ReturnType<typeof tempDir>>;
let crawled: CrawledDevnet;
let watch: NodeWatch;
/** The two after everybody has been found. */
let wholeEpochs: readonly [number, number];
const heapAtEpoch = new Map<number, number>();

beforeAll(async () => {
  folder = await tempDir();
  crawled = await crawlDevnet({ nodes: NODES, seed: SEED, slotMs: SLOT_MS, faults: true, dir: folder.path });
  watch = watchNodes(crawled, (epoch) => heapAtEpoch.set(epoch, heapBytes()));
  const isFound = () => watch.epoch > FOUND_BY_EPOCH || nodes(isReachable).every(isObserved);
  await firstValueFrom(interval(LOOK_MS).pipe(filter(isFound)));
  const foundIn = Math.min(Math.max(watch.epoch, FIRST_EPOCH), FOUND_BY_EPOCH);
  wholeEpochs = [foundIn + 1, foundIn + 2];
  await untilEpoch(crawled.devnet, wholeEpochs[1] + 1, LATE_MS);
  const isOver = () => watch.epoch >= NAMED_BY_EPOCH || unnamed(({ behaviour }) => behaviour !== 'honest').length === 0;
  await firstValueFrom(interval(LOOK_MS).pipe(filter(isOver)));
}, 180_000);
afterAll(async () => {
  watch.stop();
  await crawled.stop();
  await folder.remove();
});

const nodes = (suits: (node: DevnetNode) => boolean) => crawled.devnet.network.nodes.filter(suits);
const isHonest = ({ behaviour }: DevnetNode) => behaviour === 'honest';
const isReachable = (node: DevnetNode) => isHonest(node) && node.circumstance !== 'full';
/** Those that are full, or have as many peers as they want, turn away even whom they like. */
const hasRoom = ({ circumstance }: DevnetNode) => circumstance === 'roomy' || circumstance === 'syncing';
const isObserved = ({ peer_id }: DevnetNode) => watch.observations.some(({ peerId }) => peerId === peer_id);
const unnamed = (suits: (node: DevnetNode) => boolean) =>
  nodes((node) => suits(node) && !isNamed(node, watch.failuresOf(node.peer_id)));
const described = ({ client, reach, traits, peer_id }: DevnetNode) =>
  [client, reach, ...traits, peer_id, ...watch.failuresOf(peer_id)].join(' ');
const unobserved = (some: readonly DevnetNode[], epoch: number) =>
  some.filter(({ peer_id }) => !watch.observedIn(epoch).has(peer_id)).map(described);

describe('a crawl of nodes of every kind', () => {
  it.each(REACHES)('observes each honest node in each epoch: %s', (reach) => {
    const reached = nodes((node) => isReachable(node) && node.reach === reach);
    expect(reached).not.toEqual([]);
    for (const epoch of wholeEpochs) expect(unobserved(reached, epoch), `epoch ${epoch}`).toEqual([]);
  });

  it.each(CLIENT_NAMES)('observes %s, and finds nothing wrong with it', (client) => {
    const honest = nodes((node) => isHonest(node) && node.client === client && hasRoom(node));
    expect(honest).not.toEqual([]);
    // Of two connections that begin at once, one from each side, Lighthouse ends the second.
    const isWrong = (failure: string) => !failure.endsWith('/eof');
    expect(honest.filter(({ peer_id }) => [...watch.failuresOf(peer_id)].some(isWrong)).map(described)).toEqual([]);
  });

  it('is banned by no honest node, and hardly any holds anything against it', async () => {
    const penalties = await readPenalties(crawled.devnet.penaltiesPath);
    const honest = new Set(nodes(isHonest).map(({ peer_id }) => peer_id));
    const ours = penalties.filter(({ peer_id, node }) => peer_id === crawled.sentry.peerId && honest.has(node));
    const grudges = grudgesIn(ours);
    expect(grudges.filter(({ bannedAtMs }) => bannedAtMs !== null)).toEqual([]);
    const isAvoidable = ({ reasons }: Grudge) => Object.keys(reasons).some((reason) => !UNAVOIDABLE.has(reason));
    // On a machine that is busy with other tests, a node may be so slow that what it asks comes after its time.
    expect(grudges.filter(isAvoidable).length).toBeLessThan(honest.size / 10);
    expect(penalties).not.toEqual([]);
  });

  it.each(FAULT_NAMES)('names %s', (fault) => {
    const faulty = nodes(({ behaviour }) => behaviour === fault);
    expect(faulty).not.toEqual([]);
    expect(unnamed(({ behaviour }) => behaviour === fault).map(described)).toEqual([]);
    // A visit to one that answers slowly may take longer than an epoch.
    const observable = FAULTS[fault satisfies Fault].observable;
    if (observable !== 'maybe') expect(faulty.map(isObserved)).toEqual(faulty.map(() => observable === 'yes'));
  });

  it('reaches those that can be reached in one way only in that way', () => {
    const seen = (reach: string) =>
      watch.observations.filter(({ peerId }) => nodes((node) => node.reach === reach && node.peer_id === peerId)[0]);
    expect(new Set(seen('quic-only').map(({ transport }) => transport))).toEqual(new Set(['quic']));
    expect(new Set(seen('nat').map(({ direction }) => direction))).toEqual(new Set(['inbound']));
    expect(seen('ipv6-only').every(({ address }) => address.startsWith('/ip6/::1/'))).toBe(true);
  });

  it('goes on, with as much memory as before', () => {
    expect(watch.broken).toEqual([]);
    expect(watch.epoch).toBeGreaterThan(wholeEpochs[1]);
    const [before = 0, after = 0] = [wholeEpochs[0], wholeEpochs[1] + 1].map((epoch) => heapAtEpoch.get(epoch));
    expect(after - before).toBeLessThan(MAX_HEAP_GROWTH_BYTES);
  });
});
