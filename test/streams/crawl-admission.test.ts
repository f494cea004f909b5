import { map, NEVER, of, VirtualTimeScheduler } from 'rxjs';
import { beforeEach, describe, expect, it } from 'vitest';
import { BOOTNODES } from '../../src/consensus/bootnodes.ts';
import { success } from '../../src/consensus/failure.ts';
import { decodeNodeRecord, type NodeRecord } from '../../src/consensus/node-record.ts';
import { parseOptOut } from '../../src/consensus/opt-out.ts';
import { enrWith } from '../support/consensus/raw-enr.ts';
import { fakeLink, hello } from '../support/streams/link.ts';
import { EPOCH_MS, nodeRecord } from '../support/streams/network.ts';
import { knownPeer, neighbourAnswer, type Pipeline, startPipeline, type World } from '../support/streams/pipeline.ts';

const [FIRST = '', SECOND = ''] = BOOTNODES.mainnet;
const FOUR = { perIp: 4, perPrefix: 1_000 };

let scheduler: VirtualTimeScheduler;

beforeEach(() => {
  scheduler = new VirtualTimeScheduler();
});

/** The sentry with peers that never connect: what is looked at is who comes to be known. */
function start(world: Omit<World, 'scheduler'> = {}): Pipeline {
  return startPipeline({ dialed: () => NEVER, ...world, scheduler });
}

function record(enr: string): NodeRecord {
  const decoded = decodeNodeRecord(enr);
  if (!decoded.ok) throw new Error('no record');
  return decoded.value;
}

const peerIdOf = (enr: string) => record(enr).peerId;
const named = (count: number, prefix = 'n') => Array.from({ length: count }, (_, index) => `${prefix}${index}`);
const records = (count: number) => named(count).map((name) => nodeRecord(name));

function optOut(...lines: string[]) {
  const parsed = parseOptOut(lines.join('\n'));
  if (!parsed.ok) throw new Error(parsed.reason);
  return parsed.value;
}

describe('nodes at a crowded place', () => {
  it('are neither announced nor registered, though all come at once', () => {
    const pipeline = start({
      bootnodes: [FIRST],
      limits: { entriesPerPlace: FOUR },
      neighbours: (enr) => of(neighbourAnswer(enr === FIRST ? records(12) : [])),
    });
    pipeline.runTo(1_000);
    expect(pipeline.announced()).toEqual(named(4));
    expect([...pipeline.sentry.registry.records()].map(({ peerId }) => peerId)).toEqual(named(4));
    expect(pipeline.failed()).toEqual(
      named(12)
        .slice(4)
        .map((name) => `${name} resolve resource_limited`),
    );
  });

  it('are held to the same room while the log is slow', () => {
    const pipeline = start({ limits: { entriesPerPlace: FOUR }, appendMs: 500 });
    for (const node of records(8)) pipeline.heard$.next(node);
    pipeline.runTo(2_000);
    expect(pipeline.announced()).toEqual(named(4));
  });

  it('are asked no more often than there is room for in a round, and again in the next', () => {
    const asked: string[] = [];
    const pipeline = start({
      bootnodes: [FIRST],
      crawlEveryEpochs: 1,
      limits: { askedPerPlace: FOUR },
      neighbours: (enr) => {
        asked.push(enr);
        return of(neighbourAnswer(enr === FIRST ? records(10) : []));
      },
    });
    pipeline.runTo(1_000);
    expect(asked).toEqual([FIRST, ...named(4).map((name) => `enr:${name}`)]);
    // Who is not asked is not taken in either: nobody vouches for it.
    expect(pipeline.announced()).toEqual(named(4));
    expect(pipeline.sentry.stats().lastRound).toMatchObject({ seen: 5, dropped: 6 });
    pipeline.runTo(EPOCH_MS + 1_000);
    expect(asked.filter((enr) => enr !== FIRST)).toHaveLength(8);
  });

  it.each([
    [15, []],
    [16, [`${peerIdOf(FIRST)} resolve resource_limited`]],
  ])('told of %d at a time make their teller known: %j', (crowded, expected) => {
    const pipeline = start({
      bootnodes: [FIRST],
      limits: { askedPerPlace: FOUR },
      neighbours: (enr) => of(neighbourAnswer(enr === FIRST ? records(4 + crowded) : [])),
    });
    pipeline.runTo(1_000);
    expect(pipeline.failed()).toEqual(expected);
  });
});

describe('what is wrong with a record', () => {
  it('is named once, however often it is met, and again for a newer one', () => {
    const odd = nodeRecord('odd', { addresses: [] });
    const pipeline = start();
    for (let times = 0; times < 5; times++) pipeline.heard$.next(odd);
    pipeline.runTo(1_000);
    pipeline.heard$.next(odd);
    pipeline.runTo(2_000);
    expect(pipeline.failed()).toEqual(['odd resolve no_address']);
    pipeline.heard$.next({ ...odd, enr: 'enr:odd2', sequence: 2n });
    pipeline.runTo(3_000);
    expect(pipeline.failed()).toEqual(['odd resolve no_address', 'odd resolve no_address']);
  });

  it('is named once of a node that is never taken in', () => {
    const pipeline = start({ limits: { entriesPerPlace: { perIp: 1, perPrefix: 1 } } });
    pipeline.heard$.next(nodeRecord('a'));
    for (let times = 0; times < 5; times++) {
      pipeline.heard$.next(nodeRecord('late'));
      pipeline.runTo((times + 1) * 1_000);
    }
    expect(pipeline.failed().filter((words) => words.startsWith('late'))).toEqual(['late resolve resource_limited']);
  });

  it('is counted among the failures, and not among the visits that failed', () => {
    const pipeline = start();
    pipeline.heard$.next(nodeRecord('odd', { malformed: ['attnets'] }));
    pipeline.runTo(1_000);
    expect(pipeline.sentry.stats()).toMatchObject({
      failed: 0,
      failures: [{ stage: 'resolve', cause: 'bad_response', client: 'unknown', count: 1 }],
    });
    // The rest of the record is as good as any.
    expect(pipeline.announced()).toEqual(['odd']);
  });
});

describe('who asked to be left alone', () => {
  const ENR = enrWith({ ip: Buffer.from([203, 0, 113, 7]), udp: Buffer.from([0x23, 0x28]) });
  const HERMIT = record(ENR);
  const hermit = { ...HERMIT, eth2: nodeRecord('a').eth2 };

  it.each([
    ['peer id', HERMIT.peerId],
    ['node id', HERMIT.nodeId],
    ['address', '203.0.113.7'],
  ])('by %s is not asked, announced, or kept', (_, line) => {
    const asked: string[] = [];
    const pipeline = start({
      bootnodes: [FIRST],
      optOut: optOut(line),
      neighbours: (enr) => {
        asked.push(enr);
        return of(neighbourAnswer(enr === FIRST ? [hermit, nodeRecord('a')] : []));
      },
    });
    pipeline.heard$.next(hermit);
    pipeline.runTo(1_000);
    expect(asked).toEqual([FIRST, 'enr:a']);
    expect(pipeline.announced()).toEqual(['a']);
    expect(pipeline.sentry.registry.get(HERMIT.peerId)).toBeUndefined();
    expect(pipeline.failed()).toEqual([]);
  });

  it('is not asked though it is a bootnode', () => {
    const asked: string[] = [];
    const pipeline = start({
      bootnodes: [FIRST, SECOND],
      optOut: optOut(peerIdOf(FIRST)),
      neighbours: (enr) => {
        asked.push(enr);
        return of(neighbourAnswer([]));
      },
    });
    pipeline.runTo(1_000);
    expect(asked).toEqual([SECOND]);
  });

  it.each([
    ['peer id', HERMIT.peerId],
    ['address', '10.0.0.1'],
  ])('and dials us all the same is left when it has been answered, by %s', (_, line) => {
    const pipeline = start({ optOut: optOut(line) });
    pipeline.runTo(1);
    const link = fakeLink({ peerId: HERMIT.peerId, direction: 'inbound', subscriptions$: of(hello(0, [1])) });
    pipeline.inbound$.next(link);
    pipeline.runTo(3_000);
    expect(link.leavings).toEqual([]);
    pipeline.runTo(4_000);
    expect(link.leavings).toEqual(['declined']);
    // Whatever keeps it away longest: it asked us not to come.
    expect(link.dialable).toEqual([true]);
    expect(link.asked).toEqual([]);
    expect(pipeline.sentry.registry.get(HERMIT.peerId)).toBeUndefined();
    expect(pipeline.observed()).toEqual([]);
  });

  it('and is known by its record only after the handshake leaves no event', () => {
    const pipeline = start({
      optOut: optOut(HERMIT.nodeId),
      experiment: (usual) => ({
        ...usual,
        handshake: (visits) => usual.handshake(visits.pipe(map((visit) => ({ ...visit, enr: ENR })))),
      }),
    });
    pipeline.runTo(1);
    pipeline.inbound$.next(
      fakeLink({ peerId: HERMIT.peerId, direction: 'inbound', subscriptions$: of(hello(0, [1])) }),
    );
    pipeline.runTo(2_000);
    expect(pipeline.observed()).toEqual([]);
    expect(pipeline.failed()).toEqual([`${HERMIT.peerId} record gated`]);
    expect(pipeline.sentry.stats().inFlight).toBe(0);
  });
});

describe('a place that is dialled enough', () => {
  it('keeps its other peers waiting for a second, and slots for peers elsewhere', () => {
    const dials: [atMs: number, peerId: string][] = [];
    const there = named(3, 'there').map((name) => knownPeer(name));
    const elsewhere = knownPeer('elsewhere', { addresses: ['/ip4/10.9.9.9/tcp/9000'] });
    const pipeline = start({
      restored: [...there, elsewhere],
      limits: { dialsPerPlace: { perIp: 2, perPrefix: 100 } },
      dialed: (peerId) => {
        dials.push([scheduler.now(), peerId]);
        // Each is connected for 50 ms until its picture has settled, and 22 ms more until that is durable.
        return of(success(fakeLink({ peerId, subscriptions$: of(hello(scheduler.now(), [1])) })));
      },
    });
    pipeline.runTo(500);
    expect(dials.map(([atMs]) => atMs)).toEqual([0, 0, 0]);
    const late = there.find(({ peerId }) => !dials.some(([, dialed]) => dialed === peerId))?.peerId ?? '';
    expect(dials.map(([, peerId]) => peerId)).toContain('elsewhere');
    expect(pipeline.sentry.registry.get(late)).toMatchObject({
      phase: { name: 'backing-off', untilMs: 1_000 },
      failures: 0,
      lastFailure: null,
    });
    pipeline.runTo(1_500);
    expect(dials.slice(3)).toEqual([[1_000, late]]);
    expect(pipeline.observed().sort()).toEqual(['elsewhere', 'there0', 'there1', 'there2']);
    expect(pipeline.failed()).toEqual([]);
  });

  it('has room again when a visit there fails', () => {
    const dials: string[] = [];
    const pipeline = start({
      restored: named(3).map((name) => knownPeer(name)),
      limits: { dialsPerPlace: { perIp: 1, perPrefix: 1 }, visitMs: 3_000 },
      dialed: (peerId) => {
        dials.push(peerId);
        return NEVER;
      },
    });
    pipeline.runTo(1_900);
    expect(dials).toHaveLength(1);
    // Given up by the dial stage after two seconds.
    pipeline.runTo(3_100);
    expect(dials).toHaveLength(2);
    pipeline.runTo(6_100);
    expect(new Set(dials)).toEqual(new Set(named(3)));
  });
});
