import {
  BehaviorSubject,
  concat,
  delay,
  EMPTY,
  filter,
  finalize,
  map,
  merge,
  mergeMap,
  NEVER,
  of,
  Subject,
  throwError,
  timer,
  VirtualTimeScheduler,
} from 'rxjs';
import { beforeEach, describe, expect, it } from 'vitest';
import { BOOTNODES } from '../../src/consensus/bootnodes.ts';
import { failed, type Outcome, success } from '../../src/consensus/failure.ts';
import { EventLogFullError, EventLogUsageError, type LogEntry } from '../../src/streams/ports/event-log.ts';
import type { PeerLink } from '../../src/streams/ports/peer-link.ts';
import { visitSucceeded } from '../../src/streams/visit.ts';
import { type FakeLink, fakeLink, hello, type LinkBehaviour, status } from '../support/streams/link.ts';
import { EPOCH_MS, nodeRecord, OTHER_DIGEST } from '../support/streams/network.ts';
import {
  closedBy,
  knownPeer,
  LIMITS,
  neighbourAnswer,
  startPipeline,
  type World,
} from '../support/streams/pipeline.ts';

/** Any record that is signed: seeds are decoded. */
const BOOTNODE = BOOTNODES.mainnet[0] ?? '';

let scheduler: VirtualTimeScheduler;
/** Every connection that was opened, by peer. */
let links: Map<string, FakeLink[]>;

beforeEach(() => {
  scheduler = new VirtualTimeScheduler();
  links = new Map();
});

/** A peer that takes 30 ms to connect, and says hello as it does. */
function goodPeer(peerId: string, behaviour: Partial<LinkBehaviour> = {}) {
  return timer(30, scheduler).pipe(
    map(
      (): Outcome<PeerLink> =>
        success(open(peerId, { subscriptions$: concat(of(hello(scheduler.now(), [1, 2])), NEVER), ...behaviour })),
    ),
  );
}

function open(peerId: string, behaviour: Partial<LinkBehaviour>): FakeLink {
  const link = fakeLink({ peerId, openedMs: scheduler.now(), ...behaviour });
  links.set(peerId, [...(links.get(peerId) ?? []), link]);
  return link;
}

function peersNamed(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `p${index}`);
}

function start(world: Omit<World, 'scheduler'> = {}) {
  return startPipeline({ dialed: (peerId) => goodPeer(peerId), ...world, scheduler });
}

describe('the pipeline', () => {
  it('observes a peer: durable before told, left, and at rest until the next epoch', () => {
    const pipeline = start({ restored: [knownPeer('a')] });
    // 30 to connect, 50 to settle, 20 for the batch, 2 for the disk.
    pipeline.runTo(101);
    expect(pipeline.observed()).toEqual(['a']);
    expect(pipeline.happenings.filter(({ type }) => type === 'observed')).toEqual([]);
    pipeline.runTo(102);
    expect(pipeline.happenings.filter(({ type }) => type === 'observed')).toHaveLength(1);
    expect(pipeline.sentry.registry.get('a')).toMatchObject({
      phase: { name: 'resting', untilMs: null },
      observations: 1,
      lastObservedEpoch: 0,
    });
    expect(links.get('a')?.map(({ leavings }) => leavings)).toEqual([['visited']]);
    expect(pipeline.sentry.stats()).toMatchObject({ observed: 1, observedThisEpoch: 1, inFlight: 0, failed: 0 });
  });

  it('shows where a peer is', () => {
    const answers = new Subject<Outcome<PeerLink>>();
    const statuses = new Subject<Outcome<ReturnType<typeof status>>>();
    const pipeline = start({ restored: [knownPeer('a')], dialed: () => answers });
    const phase = () => pipeline.sentry.registry.get('a')?.phase.name;
    pipeline.runTo(1);
    expect([phase(), pipeline.depths.dial.active]).toEqual(['dialing', 1]);
    answers.next(success(open('a', { status$: statuses })));
    expect([phase(), pipeline.depths.handshake.active]).toEqual(['handshaking', 1]);
    statuses.next(success(status()));
    expect([phase(), pipeline.depths.gossipProbe.active]).toEqual(['probing', 1]);
    expect(pipeline.sentry.stats().inFlight).toBe(1);
  });
});

describe('a burst of 10,000 candidates', () => {
  it('never holds more than the stated bound, loses nobody, and observes everybody exactly once in the epoch', () => {
    const names = peersNamed(10_000);
    // The bootnode knows 17 of them, and each of them 16 others.
    const inFlight = { dialing: 0, connected: 0 };
    let mostDialing = 0;
    let mostConnected = 0;
    let mostInFlight = 0;
    let asking = 0;
    let mostAsking = 0;
    const pipeline = start({
      epochMs: 384_000,
      bootnodes: [BOOTNODE],
      neighbours: (enr) => {
        mostAsking = Math.max(mostAsking, ++asking);
        const first = enr.startsWith('enr:p') ? 1 + 16 * (1 + Number(enr.slice(5))) : 0;
        const records = names.slice(first, first + (first === 0 ? 17 : 16)).map((name) => nodeRecord(name));
        return of(neighbourAnswer(records)).pipe(
          delay(5, scheduler),
          finalize(() => {
            asking--;
          }),
        );
      },
      dialed: (peerId) => {
        inFlight.dialing++;
        mostDialing = Math.max(mostDialing, inFlight.dialing);
        mostInFlight = Math.max(mostInFlight, inFlight.dialing + inFlight.connected);
        return timer(10, scheduler).pipe(
          map((): Outcome<PeerLink> => {
            inFlight.dialing--;
            inFlight.connected++;
            mostConnected = Math.max(mostConnected, inFlight.connected);
            const link = fakeLink({
              peerId,
              status$: of(success(status())).pipe(delay(100, scheduler)),
              subscriptions$: concat(of(hello(scheduler.now(), [1])), NEVER),
            });
            return success({
              ...link,
              leave: () => {
                inFlight.connected--;
              },
            });
          }),
        );
      },
    });
    for (let nowMs = 0; nowMs <= 380_000; nowMs += 4_000) {
      pipeline.runTo(nowMs);
      const { dial, handshake, gossipProbe } = pipeline.depths;
      for (const { active, waiting, overflowed } of [dial, handshake, gossipProbe]) {
        expect(active + waiting).toBeLessThanOrEqual(LIMITS.visits);
        expect(overflowed).toBe(0);
      }
    }
    expect(mostAsking).toBeLessThanOrEqual(LIMITS.crawlers);
    expect([mostDialing, mostInFlight]).toEqual([LIMITS.visits, LIMITS.visits]);
    expect(mostConnected).toBeLessThanOrEqual(LIMITS.visits);
    expect(pipeline.announced().sort()).toEqual([...names].sort());
    expect(pipeline.observed().sort()).toEqual([...names].sort());
    expect(pipeline.sentry.stats()).toMatchObject({
      epoch: 0,
      observed: 10_000,
      observedThisEpoch: 10_000,
      inFlight: 0,
    });
    expect(pipeline.failed()).toEqual([]);
    pipeline.subscription.unsubscribe();
  });
});

describe('a slow stage', () => {
  it('slows its source: what finds no slot waits in the registry', () => {
    const pipeline = start({
      restored: peersNamed(100).map((name) => knownPeer(name)),
      dialed: (peerId) => goodPeer(peerId, { status$: of(success(status())).pipe(delay(1_000, scheduler)) }),
    });
    pipeline.runTo(1_000);
    expect(links.size).toBe(16);
    expect(pipeline.sentry.stats()).toMatchObject({ inFlight: 16, peers: { due: 84 } });
    // A visit lasts 30 + 1000 + 0 (the dwell time is over by then) + 20 + 2 ms, so 16 begin every 1052 ms.
    pipeline.runTo(1_081);
    expect(links.size).toBe(16);
    pipeline.runTo(1_083);
    expect(pipeline.sentry.stats()).toMatchObject({ inFlight: 16, observed: 16 });
    pipeline.runTo(1_052 * 7 + 100);
    expect(new Set(pipeline.observed()).size).toBe(100);
    expect(pipeline.observed()).toHaveLength(100);
  });

  it('is slow when the log is: visits keep their slots until they are durable, and are not given up for that', () => {
    const pipeline = start({ restored: peersNamed(50).map((name) => knownPeer(name)), appendMs: 5 * LIMITS.visitMs });
    pipeline.runTo(4 * LIMITS.visitMs);
    expect(links.size).toBe(LIMITS.visits);
    expect(pipeline.sentry.stats()).toMatchObject({ inFlight: LIMITS.visits, observed: 0, failed: 0 });
    pipeline.runTo(6 * LIMITS.visitMs);
    expect(pipeline.sentry.stats().observed).toBe(LIMITS.visits);
    expect(links.size).toBe(2 * LIMITS.visits);
  });
});

describe('an error in one peer', () => {
  const broken = (): never => {
    throw new Error('broken');
  };
  const troubles: Record<string, World['dialed'] & object> = {
    'is refused': () => of(failed('dial', 'refused')),
    'makes the dialer throw': broken,
    'makes the dialer error': () => throwError(() => new Error('broken')),
    'makes the dialer end': () => EMPTY,
    'is never connected': () => NEVER,
    'makes identify throw': (peerId) =>
      of(success({ ...open(peerId, {}), identify: broken, status: broken, metaData: broken })),
    'errors in every request': (peerId) => goodPeer(peerId, { ...silentPeer(), status$: throwError(() => 'broken') }),
    'errors in its subscriptions': (peerId) => goodPeer(peerId, { subscriptions$: throwError(() => 'broken') }),
    'says nothing at all': (peerId) => goodPeer(peerId, silentPeer()),
    'is on another fork': (peerId) => goodPeer(peerId, { status$: of(success(status(OTHER_DIGEST))) }),
    'closes at once': (peerId) => goodPeer(peerId, { ...silentPeer(), closed$: of(closedBy('too_many_peers')) }),
  };

  it('leaves the others alone', () => {
    const names = peersNamed(40);
    const bad = Object.keys(troubles);
    const pipeline = start({
      restored: [...bad, ...names].map((name) => knownPeer(name)),
      dialed: (peerId, addresses) => troubles[peerId]?.(peerId, addresses) ?? goodPeer(peerId),
    });
    pipeline.runTo(9_000);
    expect(pipeline.error()).toBeUndefined();
    expect(
      pipeline
        .observed()
        .filter((peerId) => names.includes(peerId))
        .sort(),
    ).toEqual([...names].sort());
    const outcomes = Object.fromEntries(
      pipeline
        .failed()
        .map((words) => [bad.find((name) => words.startsWith(name)), words.split(' ').slice(-2).join(' ')]),
    );
    expect(outcomes).toEqual({
      'is refused': 'dial refused',
      'makes the dialer throw': 'dial unknown',
      'makes the dialer error': 'dial unknown',
      'makes the dialer end': 'dial unknown',
      'is never connected': 'dial timeout',
      'makes identify throw': 'status unknown',
      'errors in every request': 'status unknown',
      'errors in its subscriptions': 'subscriptions unknown',
      'says nothing at all': 'status timeout',
      'is on another fork': 'status wrong_fork',
      'closes at once': 'status too_many_peers',
    });
    expect(pipeline.sentry.stats().inFlight).toBe(0);
    const leavings = [...links.values()].flat().map((link) => link.leavings);
    expect(leavings.every((left) => left.length === 1)).toBe(true);
    expect(links.get('is on another fork')?.[0]?.leavings).toEqual(['foreign-fork']);
  });

  it('is counted by stage, cause and client', () => {
    const pipeline = start({
      restored: ['a', 'b', 'c'].map((name) => knownPeer(name)),
      dialed: (peerId) =>
        peerId === 'c'
          ? of(failed('dial', 'refused'))
          : goodPeer(peerId, { status$: of(success(status(OTHER_DIGEST))) }),
    });
    pipeline.runTo(1_000);
    expect(pipeline.sentry.stats().failures).toEqual([
      { stage: 'status', cause: 'wrong_fork', client: 'Lighthouse', count: 2 },
      { stage: 'dial', cause: 'refused', client: 'unknown', count: 1 },
    ]);
  });

  it('ends everything when it is an error of the program', () => {
    const pipeline = start({
      restored: ['a', 'b', 'c'].map((name) => knownPeer(name)),
      experiment: (usual) => ({
        ...usual,
        handshake: (input) =>
          input.pipe(
            map((visit) =>
              visit.peerId === 'b'
                ? broken()
                : visitSucceeded({ ...visit, agent: null, status: null, metaData: null, missing: [] }),
            ),
          ),
      }),
    });
    pipeline.runTo(1_000);
    expect(pipeline.error()).toEqual(new Error('broken'));
    expect(timersLeft()).toBe(0);
  });

  it('retries a peer as the cause asks for, and one on another fork when it has a newer record', () => {
    const pipeline = start({
      restored: ['refused', 'foreign'].map((name) => knownPeer(name)),
      dialed: (peerId) =>
        peerId === 'refused'
          ? of(failed('dial', 'refused'))
          : goodPeer(peerId, { status$: of(success(status(OTHER_DIGEST))) }),
    });
    pipeline.runTo(EPOCH_MS - 1);
    expect(pipeline.failed()).toEqual(['refused dial refused', 'foreign status wrong_fork']);
    pipeline.runTo(20 * EPOCH_MS);
    // Refused at 0, then 1, 2, 4 and 8 epochs later, each a moment after the last.
    expect(pipeline.failed().filter((words) => words.startsWith('refused'))).toHaveLength(5);
    expect(pipeline.failed().filter((words) => words.startsWith('foreign'))).toHaveLength(1);
    pipeline.heard$.next(nodeRecord('foreign', { sequence: 2n, enr: 'enr:foreign2' }));
    pipeline.runTo(20 * EPOCH_MS + 500);
    expect(pipeline.failed().filter((words) => words.startsWith('foreign'))).toHaveLength(2);
  });

  it('finds the address that is right when others belong to somebody else', () => {
    const dials: string[] = [];
    const pipeline = start({
      restored: [knownPeer('a', { addresses: ['x', 'y', 'z'] })],
      dialed: (peerId, addresses) => {
        dials.push(addresses.join());
        return addresses.join() === 'y' ? goodPeer(peerId) : of(failed('security', 'peer_id_mismatch'));
      },
    });
    pipeline.runTo(1_000);
    expect(dials).toEqual(['x,y,z', 'x', 'y']);
    expect(pipeline.observed()).toEqual(['a']);
    expect(pipeline.sentry.registry.get('a')?.addresses).toEqual(['y', 'z']);
  });
});

describe('the epoch tick', () => {
  it('has everyone probed once an epoch', () => {
    const names = peersNamed(150);
    const pipeline = start({ restored: names.map((name) => knownPeer(name)) });
    for (const epoch of [0, 1, 2, 3]) {
      pipeline.runTo((epoch + 1) * EPOCH_MS - 1);
      expect(pipeline.sentry.stats()).toMatchObject({ epoch, observedThisEpoch: 150, observed: 150 * (epoch + 1) });
      expect(
        pipeline
          .observed()
          .slice(epoch * 150)
          .sort(),
      ).toEqual([...names].sort());
      pipeline.runTo((epoch + 1) * EPOCH_MS);
      expect(pipeline.sentry.stats().observedThisEpoch).toBe(0);
    }
    expect(pipeline.failed()).toEqual([]);
    expect([...pipeline.sentry.registry.records()].every(({ observations }) => observations === 4)).toBe(true);
    expect(pipeline.happenings.flatMap((happening) => (happening.type === 'epoch' ? [happening.epoch] : []))).toEqual([
      0, 1, 2, 3, 4,
    ]);
  });

  it('falls behind fairly when the epoch is too short for all', () => {
    // 16 visits of 1052 ms at a time: 486 an epoch.
    const names = peersNamed(700);
    const pipeline = start({
      restored: names.map((name) => knownPeer(name)),
      dialed: (peerId) => goodPeer(peerId, { status$: of(success(status())).pipe(delay(1_000, scheduler)) }),
    });
    pipeline.runTo(9 * EPOCH_MS);
    const counts = names.map((name) => pipeline.sentry.registry.get(name)?.observations ?? 0);
    // Were the overdue put off to a new moment by each tick, some would be visited once or twice in all.
    expect(counts.reduce((sum, count) => sum + count, 0) / 700).toBeCloseTo((9 * 486) / 700, 1);
    expect(Math.min(...counts)).toBeGreaterThanOrEqual(4);
  });
});

describe('a visit that no stage ends', () => {
  /** A handshake that answers for peer `a` only after so long, or never. */
  function slowFor(answerMs: (visit: number) => number): NonNullable<World['experiment']> {
    return (usual) => ({
      ...usual,
      handshake: (input) =>
        merge(
          usual.handshake(input.pipe(filter(({ peerId }) => peerId !== 'a'))),
          input.pipe(
            filter(({ peerId }) => peerId === 'a'),
            mergeMap((visit, index) => {
              const afterMs = answerMs(index);
              const agent = `answer ${index}`;
              const greeted = visitSucceeded({ ...visit, agent, status: null, metaData: null, missing: [] });
              return afterMs === Number.POSITIVE_INFINITY ? NEVER : of(greeted).pipe(delay(afterMs, scheduler));
            }, 99),
          ),
        ),
    });
  }

  it('is given up after a while: its slot is free, its connection closed, and the peer tried again', () => {
    const pipeline = start({
      restored: peersNamed(3)
        .concat('a')
        .map((name) => knownPeer(name)),
      limits: { visits: 1 },
      experiment: slowFor(() => Number.POSITIVE_INFINITY),
    });
    // `a` came first or last; the others are done all the same once it is given up.
    pipeline.runTo(LIMITS.visitMs + 2_000);
    expect(pipeline.observed().sort()).toEqual(['p0', 'p1', 'p2']);
    expect(pipeline.failed()).toEqual(['a record cancelled']);
    expect(links.get('a')?.[0]?.leavings).toEqual(['given-up']);
    // A sixteenth of an epoch later.
    pipeline.runTo(LIMITS.visitMs + 5_000);
    expect(links.get('a')).toHaveLength(2);
    expect(pipeline.sentry.stats().inFlight).toBe(1);
  });

  it('may be answered late, when the next visit is under way, without being taken for its answer', () => {
    const pipeline = start({
      restored: [knownPeer('a')],
      experiment: slowFor((index) => (index === 0 ? 14_000 : 4_000)),
    });
    // Given up at 11 s, tried again at 13 s, answered late at 14 s, answered at 17 s.
    pipeline.runTo(13_500);
    expect(pipeline.failed()).toEqual(['a record cancelled']);
    expect(links.get('a')).toHaveLength(2);
    pipeline.runTo(15_500);
    expect(pipeline.observed()).toEqual([]);
    expect(pipeline.sentry.stats()).toMatchObject({ inFlight: 1, observed: 0 });
    expect(pipeline.sentry.registry.get('a')?.phase.name).toBe('handshaking');
    pipeline.runTo(18_000);
    expect(pipeline.observed()).toEqual(['a']);
    expect(pipeline.sentry.registry.get('a')).toMatchObject({
      observations: 1,
      agent: 'answer 1',
      phase: { name: 'resting' },
    });
    expect(pipeline.sentry.stats().inFlight).toBe(0);
  });

  it('may be connected late, and is then left', () => {
    const pipeline = start({
      restored: [knownPeer('a')],
      experiment: (usual) => ({
        ...usual,
        dial: (input) =>
          input.pipe(
            delay(12_000, scheduler),
            map((visit) => visitSucceeded({ ...visit, link: open(visit.peerId, {}) })),
          ),
      }),
    });
    pipeline.runTo(12_500);
    expect(pipeline.failed()).toEqual(['a record cancelled']);
    expect(links.get('a')?.[0]?.leavings).toEqual(['given-up']);
    expect(links.get('a')?.[0]?.asked).toEqual([]);
  });
});

describe('a connection that a peer opens', () => {
  const inboundLink = (peerId: string, behaviour: Partial<LinkBehaviour> = {}) =>
    open(peerId, {
      direction: 'inbound',
      subscriptions$: concat(of(hello(scheduler.now(), [9])), NEVER),
      standing: [9],
      ...behaviour,
    });

  it('enters the same pipeline, and is kept, since it has no address: it is looked at again in each epoch', () => {
    const pipeline = start();
    pipeline.runTo(100);
    const link = inboundLink('a');
    pipeline.inbound$.next(link);
    expect(pipeline.sentry.registry.get('a')?.phase.name).toBe('probing');
    pipeline.runTo(500);
    expect(pipeline.observed()).toEqual(['a']);
    const [observed] = pipeline.happenings.flatMap((happening) =>
      happening.type === 'observed' ? [happening.observation] : [],
    );
    expect(observed).toMatchObject({ direction: 'inbound', subscribedSubnets: [9], enr: null });
    expect(pipeline.sentry.registry.get('a')).toMatchObject({ observations: 1, phase: { name: 'resting' } });
    for (const epochs of [1, 2, 3]) {
      pipeline.runTo(epochs * EPOCH_MS - 1);
      expect(pipeline.observed()).toHaveLength(epochs);
      expect(pipeline.sentry.stats().observedThisEpoch).toBe(1);
    }
    expect(link.leavings).toEqual([]);
    expect(pipeline.sentry.stats()).toMatchObject({ waiting: 1, inFlight: 0, turnedAway: [] });
  });

  it("is the peer's to end: it may come again", () => {
    const closes = new Subject<ReturnType<typeof closedBy>>();
    const pipeline = start();
    pipeline.runTo(100);
    pipeline.inbound$.next(inboundLink('a', { closed$: closes }));
    pipeline.runTo(500);
    closes.next(closedBy('eof'));
    expect(pipeline.sentry.stats().waiting).toBe(0);
    pipeline.runTo(2 * EPOCH_MS);
    expect(pipeline.observed()).toEqual(['a']);
    pipeline.inbound$.next(inboundLink('a'));
    pipeline.runTo(3 * EPOCH_MS - 1);
    expect(pipeline.observed()).toEqual(['a', 'a']);
  });

  it('saves us the visit that was due', () => {
    const pipeline = start({
      restored: [knownPeer('a', { lastObservedEpoch: 0, phase: { name: 'resting', untilMs: null } })],
    });
    pipeline.runTo(EPOCH_MS + 1);
    pipeline.inbound$.next(inboundLink('a'));
    pipeline.runTo(2 * EPOCH_MS - 1);
    expect(pipeline.observed()).toEqual(['a']);
    expect(links.get('a')).toHaveLength(1);
  });

  it('is no visit while the peer is being visited, and when it has been this epoch, but is answered for a while', () => {
    const pipeline = start({ restored: [knownPeer('a')] });
    pipeline.runTo(10);
    const second = inboundLink('a');
    pipeline.inbound$.next(second);
    pipeline.runTo(1_000);
    expect(pipeline.observed()).toEqual(['a']);
    const third = inboundLink('a');
    pipeline.inbound$.next(third);
    pipeline.runTo(3_009);
    expect([second.leavings, third.leavings]).toEqual([[], []]);
    pipeline.runTo(3_260);
    expect([second.leavings, third.leavings]).toEqual([['declined'], []]);
    pipeline.runTo(10_000);
    expect([second.leavings, third.leavings]).toEqual([['declined'], ['declined']]);
    expect([second.asked, third.asked]).toEqual([[], []]);
    // It need not dial us: we have dialled it.
    expect([second.dialable, third.dialable]).toEqual([[true], [true]]);
    expect(pipeline.sentry.stats()).toMatchObject({
      observed: 1,
      inFlight: 0,
      waiting: 0,
      turnedAway: [
        { client: 'Lighthouse', reason: 'in-flight', count: 1 },
        { client: 'Lighthouse', reason: 'observed', count: 1 },
      ],
    });
  });

  it('waits when every place for such is taken, whatever else goes on, and is a visit when one is free', () => {
    const pipeline = start({ restored: [knownPeer('z')] });
    pipeline.runTo(1);
    const callers = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => inboundLink(name));
    for (const link of callers) pipeline.inbound$.next(link);
    expect(callers.map(({ asked }) => asked.length > 0)).toEqual([true, true, true, true, false, false]);
    expect(pipeline.sentry.stats()).toMatchObject({
      turnedAway: [{ client: 'Lighthouse', reason: 'no-slot', count: 2 }],
      inFlight: 5,
      waiting: 2,
    });
    pipeline.runTo(1_000);
    expect(pipeline.observed().sort()).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'z']);
    expect(callers.map(({ leavings }) => leavings)).toEqual(Array(6).fill([]));
    expect(pipeline.sentry.stats()).toMatchObject({ inFlight: 0, waiting: 6 });
  });

  it('takes no place for visits when it is no visit', () => {
    const pipeline = start({ restored: [knownPeer('a')] });
    pipeline.runTo(10);
    for (let times = 0; times < 20; times++) pipeline.inbound$.next(inboundLink('a'));
    const callers = ['b', 'c', 'd', 'e'].map((name) => inboundLink(name));
    for (const link of callers) pipeline.inbound$.next(link);
    expect(callers.map(({ asked }) => asked.length > 0)).toEqual([true, true, true, true]);
    expect(pipeline.sentry.stats().turnedAway).toEqual([{ client: 'Lighthouse', reason: 'in-flight', count: 20 }]);
  });

  it('is no visit when the registry is full, and is not tried again and again', () => {
    const pipeline = start({ restored: [knownPeer('a')], limits: { peers: 1 } });
    const link = inboundLink('b');
    pipeline.inbound$.next(link);
    pipeline.runTo(EPOCH_MS - 1);
    expect(link.asked).toEqual([]);
    expect(pipeline.sentry.stats()).toMatchObject({
      peers: { known: 1, refused: 1 },
      turnedAway: [{ client: 'Lighthouse', reason: 'no-room', count: 1 }],
    });
    expect(pipeline.observed()).toEqual(['a']);
  });

  it('of a peer on another fork is not kept', () => {
    const pipeline = start();
    pipeline.runTo(100);
    const link = inboundLink('a', { status$: of(success(status(OTHER_DIGEST))) });
    pipeline.inbound$.next(link);
    pipeline.runTo(EPOCH_MS - 1);
    expect(pipeline.failed()).toEqual(['a status wrong_fork']);
    expect(link.asked.filter((what) => what === 'status')).toHaveLength(1);
    expect(link.leavings).toEqual(['declined']);
    expect(pipeline.sentry.stats()).toMatchObject({ waiting: 0, inFlight: 0 });
  });
});

describe('an experiment', () => {
  it('passes another function in place of a stage', () => {
    const pipeline = start({
      restored: peersNamed(5).map((name) => knownPeer(name)),
      experiment: (usual) => ({
        ...usual,
        gossipProbe: (input) =>
          input.pipe(
            map(({ link, ...visit }) =>
              visitSucceeded({
                ...visit,
                direction: link.direction,
                transport: link.transport,
                address: link.address,
                problems: [],
                subscribedSubnets: [42],
                currentSubnets: [42],
                subscribedSyncnets: [],
                dataColumns: 0,
                observedFromMs: scheduler.now(),
                observedToMs: scheduler.now(),
              }),
            ),
          ),
      }),
    });
    pipeline.runTo(200);
    expect(pipeline.observed().sort()).toEqual(peersNamed(5));
    const seen = pipeline.happenings.flatMap((happening) =>
      happening.type === 'observed' ? [happening.observation.subscribedSubnets] : [],
    );
    expect(seen).toEqual(Array(5).fill([42]));
  });
});

describe('a log that refuses', () => {
  it('for lack of room has the observation held until there is room, and nothing is made a failure', () => {
    const pipeline = start({
      restored: [knownPeer('a'), knownPeer('b')],
      refusal: () => (scheduler.now() < 20_000 ? new EventLogFullError('the log is full') : null),
    });
    // Longer than a visit may take: what is held is not given up.
    pipeline.runTo(19_000);
    expect(pipeline.observed()).toEqual([]);
    expect(pipeline.sentry.stats()).toMatchObject({ observed: 0, inFlight: 2 });
    pipeline.runTo(EPOCH_MS - 1);
    expect(pipeline.failed()).toEqual([]);
    expect(pipeline.observed().sort()).toEqual(['a', 'b']);
    expect(pipeline.sentry.stats()).toMatchObject({ observed: 2, inFlight: 0 });
    expect(pipeline.sentry.registry.get('a')).toMatchObject({ failures: 0, observations: 1 });
  });

  it('an entry that it can never take makes a failure of it, and the others are taken', () => {
    const isOfB = ({ payload }: LogEntry) => new TextDecoder().decode(payload).includes('"id":"b"');
    const pipeline = start({
      restored: [knownPeer('a'), knownPeer('b'), knownPeer('c')],
      refusal: (entries) => (entries.some(isOfB) ? new EventLogUsageError('too large') : null),
    });
    pipeline.runTo(EPOCH_MS - 1);
    expect(pipeline.failed()).toEqual(['b record resource_limited']);
    expect(pipeline.observed().sort()).toEqual(['a', 'c']);
  });
});

describe('while there is no room', () => {
  it('nobody is asked, visited or let in; what is under way ends, and it all goes on by itself', () => {
    const isOpen$ = new BehaviorSubject(true);
    const asked: string[] = [];
    const pipeline = start({
      isOpen$,
      limits: { visits: 2 },
      restored: peersNamed(5).map((name) => knownPeer(name)),
      bootnodes: [BOOTNODE],
      crawlEveryEpochs: 1,
      neighbours: (enr) => {
        asked.push(enr);
        return of(neighbourAnswer([]));
      },
    });
    pipeline.runTo(10);
    isOpen$.next(false);
    const askedBefore = asked.length;
    pipeline.runTo(EPOCH_MS + 10_000);
    expect(pipeline.observed()).toHaveLength(2);
    expect(pipeline.sentry.stats().inFlight).toBe(0);
    expect(asked.length).toBe(askedBefore);
    isOpen$.next(true);
    pipeline.runTo(2 * EPOCH_MS - 1);
    expect(new Set(pipeline.observed())).toEqual(new Set(peersNamed(5)));
    expect(asked.length).toBeGreaterThan(askedBefore);
  });
});

describe('an earlier run', () => {
  it('is resumed', () => {
    const pipeline = start({
      restored: [
        knownPeer('probed', { phase: { name: 'probing' } }),
        knownPeer('rested', { phase: { name: 'resting', untilMs: 5 }, lastObservedEpoch: -1 }),
        knownPeer('observed', { phase: { name: 'resting', untilMs: null }, lastObservedEpoch: 0, observations: 7 }),
        knownPeer('backing-off', { phase: { name: 'backing-off', untilMs: 40_000 }, failures: 1 }),
        knownPeer('foreign', { phase: { name: 'backing-off', untilMs: Number.POSITIVE_INFINITY }, failures: 1 }),
      ],
    });
    pipeline.runTo(EPOCH_MS - 1);
    expect(pipeline.observed().sort()).toEqual(['probed', 'rested']);
    pipeline.runTo(2 * EPOCH_MS - 1);
    expect(pipeline.observed().slice(2).sort()).toEqual(['backing-off', 'observed', 'probed', 'rested']);
    expect(pipeline.sentry.registry.get('observed')?.observations).toBe(8);
    expect(pipeline.announced()).toEqual([]);
  });
});

describe('unsubscribing', () => {
  it('ends every timer, request and hand-out', () => {
    const pipeline = start({ restored: peersNamed(100).map((name) => knownPeer(name)), bootnodes: [BOOTNODE] });
    pipeline.runTo(75);
    expect(timersLeft()).toBeGreaterThan(0);
    const { dial, handshake, gossipProbe, discovery } = pipeline.depths;
    expect(gossipProbe.active).toBe(16);
    expect(discovery.active).toBe(1);
    pipeline.subscription.unsubscribe();
    expect(timersLeft()).toBe(0);
    for (const depth of [dial, handshake, gossipProbe, discovery])
      expect(depth).toMatchObject({ active: 0, waiting: 0 });
    // Who was being watched is left.
    expect([...links.values()].flat().map(({ leavings }) => leavings)).toEqual(Array(16).fill(['visited']));
    const before = pipeline.happenings.length;
    pipeline.inbound$.next(open('x', {}));
    pipeline.heard$.next(nodeRecord('y'));
    pipeline.runTo(10 * EPOCH_MS);
    expect(pipeline.happenings).toHaveLength(before);
    expect(pipeline.appended).toEqual([]);
    expect(links.size).toBe(17);
  });
});

/** Says nothing over any protocol. */
function silentPeer(): Partial<LinkBehaviour> {
  return { identity$: NEVER, status$: NEVER, metaData$: NEVER, subscriptions$: NEVER };
}

/** Timers that are still to fire; the virtual scheduler keeps those that were cancelled until their time. */
function timersLeft(): number {
  return scheduler.actions.filter(({ closed }) => !closed).length;
}
