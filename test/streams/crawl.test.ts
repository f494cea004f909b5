import { delay, finalize, NEVER, of, VirtualTimeScheduler } from 'rxjs';
import { beforeEach, describe, expect, it } from 'vitest';
import { BOOTNODES } from '../../src/consensus/bootnodes.ts';
import { decodeEvent } from '../../src/consensus/events.ts';
import { failed } from '../../src/consensus/failure.ts';
import { decodeNodeRecord, type NodeRecord } from '../../src/consensus/node-record.ts';
import type { Coverage } from '../../src/streams/crawl/coverage.ts';
import { EventLogFullError, EventLogUsageError } from '../../src/streams/ports/event-log.ts';
import { EPOCH_MS, forkId, nodeRecord, OTHER_DIGEST } from '../support/streams/network.ts';
import { knownPeer, neighbourAnswer, type Pipeline, startPipeline, type World } from '../support/streams/pipeline.ts';

const [FIRST = '', SECOND = '', THIRD = ''] = BOOTNODES.mainnet;

let scheduler: VirtualTimeScheduler;

beforeEach(() => {
  scheduler = new VirtualTimeScheduler();
});

/** The sentry with peers that never connect: what is looked at is who comes to be known. */
function start(world: Omit<World, 'scheduler'> = {}): Pipeline {
  return startPipeline({ dialed: () => NEVER, ...world, scheduler });
}

function rounds({ happenings }: Pipeline): Coverage[] {
  return happenings.flatMap((happening) => (happening.type === 'round' ? [happening.coverage] : []));
}

/** Nodes that know of others; any further node is silent. */
function networkOf(knows: Record<string, readonly NodeRecord[]>, answerMs = 10): NonNullable<World['neighbours']> {
  return (enr) => {
    const records = knows[enr];
    return of(records === undefined ? failed<never>('resolve', 'timeout') : neighbourAnswer(records)).pipe(
      delay(answerMs, scheduler),
    );
  };
}

const full = new EventLogFullError('the log is full');

describe('a node that makes up others', () => {
  const ghosts = Array.from({ length: 20 }, (_, index) => nodeRecord(`ghost ${index}`));
  const blamed = ({ happenings }: Pipeline) =>
    happenings
      .flatMap((happening) => (happening.type === 'failed' ? [happening.failure] : []))
      .filter(({ failure }) => failure.stage === 'resolve');

  it('is named once, when none of many has answered', () => {
    const pipeline = start({ bootnodes: [FIRST], neighbours: networkOf({ [FIRST]: ghosts }) });
    pipeline.runTo(10_000);
    const liar = decodeNodeRecord(FIRST);
    if (!liar.ok) throw new Error('a bootnode that cannot be read');
    expect(blamed(pipeline)).toMatchObject([
      { peerId: liar.value.peerId, failure: { stage: 'resolve', cause: 'resource_limited' } },
    ]);
  });

  it('is not one that told of somebody who answers', () => {
    const real = nodeRecord('real');
    const pipeline = start({
      bootnodes: [FIRST],
      neighbours: networkOf({ [FIRST]: [real, ...ghosts], 'enr:real': [] }),
    });
    pipeline.runTo(10_000);
    expect(rounds(pipeline)).toMatchObject([{ silent: ghosts.length }]);
    expect(blamed(pipeline)).toEqual([]);
  });
});

describe('a crawl round', () => {
  it('asks every node once, announces those of our network, and says what it covered', () => {
    const asked: string[] = [];
    const known = networkOf({
      [FIRST]: [nodeRecord('a'), nodeRecord('b')],
      'enr:a': [nodeRecord('b'), nodeRecord('c'), nodeRecord('foreign', { eth2: forkId(OTHER_DIGEST) })],
      'enr:b': [nodeRecord('a'), nodeRecord('deaf', { udp: [] })],
      'enr:c': [],
    });
    const pipeline = start({
      bootnodes: [FIRST],
      neighbours: (enr) => {
        asked.push(enr);
        return known(enr);
      },
    });
    pipeline.runTo(1_000);
    expect(asked.sort()).toEqual([FIRST, 'enr:a', 'enr:b', 'enr:c', 'enr:foreign'].sort());
    expect(pipeline.announced().sort()).toEqual(['a', 'b', 'c', 'deaf']);
    expect([...pipeline.sentry.registry.records()].map(({ peerId }) => peerId).sort()).toEqual(['a', 'b', 'c', 'deaf']);
    expect(rounds(pipeline)).toEqual([
      {
        seen: 6,
        answered: 4,
        silent: 1,
        ours: 4,
        otherDigests: { [OTHER_DIGEST]: 1 },
        startedMs: 0,
        endedMs: expect.any(Number),
        dropped: 0,
      },
    ]);
    expect(pipeline.sentry.stats()).toMatchObject({ asking: 0, waitingToAsk: 0, lastRound: { seen: 6 } });
  });

  it('leaves ourselves out, whose record comes back', () => {
    const asked: string[] = [];
    const known = networkOf({
      [FIRST]: [nodeRecord('ourselves'), nodeRecord('a')],
      'enr:a': [nodeRecord('ourselves')],
    });
    const pipeline = start({
      bootnodes: [FIRST],
      neighbours: (enr) => {
        asked.push(enr);
        return known(enr);
      },
    });
    pipeline.heard$.next(nodeRecord('ourselves'));
    pipeline.runTo(1_000);
    expect(asked).toEqual([FIRST, 'enr:a']);
    expect(rounds(pipeline)).toMatchObject([{ seen: 2, ours: 1 }]);
    expect(pipeline.announced()).toEqual(['a']);
    expect(pipeline.sentry.registry.get('ourselves')).toBeUndefined();
  });

  it('asks so many nodes at a time', () => {
    let asking = 0;
    let most = 0;
    const names = Array.from({ length: 40 }, (_, index) => `n${index}`);
    const pipeline = start({
      bootnodes: [FIRST],
      neighbours: (enr) => {
        most = Math.max(most, ++asking);
        const records = enr === FIRST ? names.map((name) => nodeRecord(name)) : [];
        return of(neighbourAnswer(records)).pipe(
          delay(50, scheduler),
          finalize(() => {
            asking--;
          }),
        );
      },
    });
    pipeline.runTo(2_000);
    expect(most).toBe(4);
    expect(rounds(pipeline)).toMatchObject([{ seen: 41, answered: 41 }]);
  });

  it('begins again every so many epochs, with the bootnodes and with peers that are known', () => {
    const asked: string[] = [];
    const pipeline = start({
      bootnodes: [FIRST],
      restored: [
        knownPeer('known', { enr: SECOND }),
        knownPeer('failing', { enr: THIRD, failures: 2 }),
        knownPeer('nameless', { enr: null }),
      ],
      neighbours: (enr) => {
        asked.push(`${Math.floor(scheduler.now() / EPOCH_MS)} ${enr}`);
        return of(neighbourAnswer([]));
      },
    });
    pipeline.runTo(9 * EPOCH_MS - 1);
    // `known` never connects, so that it is not asked the second time.
    expect(asked).toEqual([`0 ${FIRST}`, `0 ${SECOND}`, `4 ${FIRST}`, `8 ${FIRST}`]);
    expect(rounds(pipeline)).toHaveLength(3);
  });

  it('begins again in the next epoch when nobody answered', () => {
    const pipeline = start({ bootnodes: [FIRST], neighbours: () => of(failed<never>('resolve', 'timeout')) });
    pipeline.runTo(3 * EPOCH_MS - 1);
    expect(rounds(pipeline).map(({ startedMs, silent }) => [startedMs, silent])).toEqual([
      [0, 1],
      [EPOCH_MS, 1],
      [2 * EPOCH_MS, 1],
    ]);
  });

  it('begins again in the next epoch when there was nobody to ask', () => {
    const pipeline = start();
    pipeline.runTo(3 * EPOCH_MS - 1);
    expect(rounds(pipeline).map(({ startedMs, seen }) => [startedMs, seen])).toEqual([
      [0, 0],
      [EPOCH_MS, 0],
      [2 * EPOCH_MS, 0],
    ]);
  });

  it('is left alone by the next epochs while it lasts', () => {
    const pipeline = start({
      bootnodes: [FIRST],
      crawlEveryEpochs: 1,
      experiment: (usual) => ({
        ...usual,
        discovery: (targets) => targets.pipe(delay(2.5 * EPOCH_MS, scheduler), (input) => usual.discovery(input)),
      }),
      neighbours: () => of(neighbourAnswer([])),
    });
    pipeline.runTo(5 * EPOCH_MS - 1);
    expect(rounds(pipeline).map(({ startedMs }) => startedMs)).toEqual([0]);
    pipeline.runTo(6 * EPOCH_MS);
    expect(rounds(pipeline).map(({ startedMs }) => startedMs / EPOCH_MS)).toEqual([0, 3]);
  });
});

describe('an announcement', () => {
  it('is durable before the peer is dialled', () => {
    const dialedAt: number[] = [];
    const pipeline = start({
      appendMs: 300,
      dialed: () => {
        dialedAt.push(scheduler.now());
        return NEVER;
      },
    });
    pipeline.runTo(100);
    pipeline.heard$.next(nodeRecord('a'));
    pipeline.runTo(1_000);
    expect(pipeline.announced()).toEqual(['a']);
    // 20 for the batch, 300 for the disk.
    expect(dialedAt).toEqual([420]);
  });

  it('has what the record says', () => {
    const pipeline = start();
    const decoded = decodeNodeRecord(FIRST);
    if (!decoded.ok) throw new Error('the bootnode has a record');
    pipeline.runTo(5);
    pipeline.heard$.next({ ...decoded.value, eth2: nodeRecord('a').eth2, custodyGroupCount: 128 });
    pipeline.runTo(100);
    const [entry] = pipeline.appended.flat();
    if (entry === undefined) throw new Error('nothing was announced');
    const event = decodeEvent(entry.subject, entry.payload);
    expect(event).toMatchObject({
      ok: true,
      value: {
        subject: 'events.peer_discovered',
        event: {
          enr: FIRST,
          id: decoded.value.peerId,
          ip: decoded.value.addresses.find(({ transport }) => transport === 'tcp')?.ip,
          crawler_id: 'test',
          crawler_location: 'here',
          timestamp: 5,
          slot: 0,
          event_id: entry.eventId,
          fork_digest: '8c9f62fe',
          custody_group_count: 128,
        },
      },
    });
  });

  it('is made once for a record that many tell of at once, and again for a newer one', () => {
    const pipeline = start({ appendMs: 100 });
    for (let times = 0; times < 5; times++) pipeline.heard$.next(nodeRecord('a'));
    pipeline.heard$.next(nodeRecord('a', { sequence: 2n, enr: 'enr:a2' }));
    pipeline.runTo(1_000);
    pipeline.heard$.next(nodeRecord('a'));
    pipeline.heard$.next(nodeRecord('a', { sequence: 2n, enr: 'enr:a2' }));
    pipeline.runTo(2_000);
    expect(pipeline.announced()).toEqual(['a', 'a']);
    expect(pipeline.sentry.registry.get('a')).toMatchObject({ enr: 'enr:a2', enrSequence: 2n });
    pipeline.heard$.next(nodeRecord('a', { sequence: 3n, enr: 'enr:a3' }));
    pipeline.runTo(3_000);
    expect(pipeline.announced()).toEqual(['a', 'a', 'a']);
  });

  it('that the log cannot ever take is made when the peer is met again', () => {
    const useless = new EventLogUsageError('no such subject');
    const pipeline = start({ refusal: () => (scheduler.now() < 1_000 ? useless : null) });
    pipeline.heard$.next(nodeRecord('a'));
    pipeline.runTo(1_500);
    expect(pipeline.announced()).toEqual([]);
    expect(pipeline.sentry.registry.get('a')).toBeUndefined();
    pipeline.heard$.next(nodeRecord('a'));
    pipeline.runTo(2_000);
    expect(pipeline.announced()).toEqual(['a']);
    expect(pipeline.sentry.registry.get('a')).toMatchObject({ phase: { name: 'dialing' } });
  });

  it('that a full log refused waits for room, and the peer is known only then', () => {
    const pipeline = start({ refusal: () => (scheduler.now() < 1_000 ? full : null) });
    pipeline.heard$.next(nodeRecord('a'));
    pipeline.runTo(900);
    expect(pipeline.announced()).toEqual([]);
    expect(pipeline.sentry.registry.get('a')).toBeUndefined();
    pipeline.runTo(4_000);
    expect(pipeline.announced()).toEqual(['a']);
    expect(pipeline.sentry.registry.get('a')).toBeDefined();
  });

  it('that the log had no room for during a round does not stop the round', () => {
    const pipeline = start({
      bootnodes: [FIRST],
      neighbours: networkOf(
        { [FIRST]: [nodeRecord('a')], 'enr:a': [nodeRecord('b')], 'enr:b': [nodeRecord('a')] },
        100,
      ),
      refusal: () => (scheduler.now() < 150 ? full : null),
    });
    pipeline.runTo(1_000);
    expect(rounds(pipeline)).toMatchObject([{ seen: 3, answered: 3 }]);
    expect(pipeline.announced()).toEqual(['a', 'b']);
  });

  it('is not made of a peer that there is no room for', () => {
    const pipeline = start({ limits: { peers: 1 }, restored: [knownPeer('a')] });
    pipeline.heard$.next(nodeRecord('b'));
    pipeline.runTo(1_000);
    expect(pipeline.announced()).toEqual([]);
    expect(pipeline.sentry.stats().peers.refused).toBe(1);
  });

  it('is made of a peer that was known from its call alone', () => {
    const pipeline = start({
      restored: [knownPeer('a', { enr: null, enrSequence: -1n, addresses: [], lastObservedEpoch: 0 })],
    });
    pipeline.heard$.next(nodeRecord('a', { sequence: 0n }));
    pipeline.runTo(1_000);
    expect(pipeline.announced()).toEqual(['a']);
  });
});

describe('nodes that come unasked', () => {
  it('wait for the log up to a bound; others are dropped and counted, and taken when they come again', () => {
    const pipeline = start({ appendMs: 500 });
    const names = Array.from({ length: 20 }, (_, index) => `n${index}`);
    for (const name of names) pipeline.heard$.next(nodeRecord(name));
    expect(pipeline.sentry.stats().heardDropped).toBe(12);
    pipeline.runTo(600);
    expect(pipeline.announced()).toEqual(names.slice(0, 8));
    for (const name of names) pipeline.heard$.next(nodeRecord(name));
    expect(pipeline.sentry.stats().heardDropped).toBe(12 + 4);
    pipeline.runTo(1_200);
    expect(pipeline.announced()).toEqual(names.slice(0, 16));
  });

  it('take no place when they are no news', () => {
    const pipeline = start({ restored: [knownPeer('a')], appendMs: 500 });
    for (let times = 0; times < 100; times++) {
      pipeline.heard$.next(nodeRecord('a'));
      pipeline.heard$.next(nodeRecord('foreign', { eth2: forkId(OTHER_DIGEST) }));
      pipeline.heard$.next(nodeRecord('none', { eth2: null }));
    }
    expect(pipeline.sentry.stats().heardDropped).toBe(0);
    pipeline.runTo(1_000);
    expect(pipeline.announced()).toEqual([]);
  });

  it('do not wait for ever for a log that hangs, and neither does the crawl take more in hand', () => {
    let asked = 0;
    const pipeline = start({
      bootnodes: [FIRST],
      appendMs: 100 * EPOCH_MS,
      neighbours: () => {
        const first = asked++ * 20;
        return of(neighbourAnswer(Array.from({ length: 20 }, (_, index) => nodeRecord(`n${first + index}`))));
      },
    });
    for (let nowMs = 1_000; nowMs < 3 * EPOCH_MS; nowMs += 1_000) {
      pipeline.runTo(nowMs);
      pipeline.heard$.next(nodeRecord(`heard at ${nowMs}`));
    }
    // Four answers wait for the log, and the rest of the frontier for them.
    expect(asked).toBe(4);
    expect(pipeline.sentry.stats()).toMatchObject({ asking: 4, heardDropped: 95 - 8 });
    expect(pipeline.sentry.stats().peers.known).toBe(0);
  });
});
