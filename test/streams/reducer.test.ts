import { Subject } from 'rxjs';
import { beforeEach, describe, expect, it } from 'vitest';
import type { PeerView } from '../../src/consensus/peer-view.ts';
import type { Delivery, LogEntry } from '../../src/streams/ports/event-log.ts';
import type { BatchChange, ViewStore } from '../../src/streams/ports/view-store.ts';
import { type BatchSummary, reduce } from '../../src/streams/reducer.ts';
import { delivery, entry, wireDiscovery, wireObservation } from '../support/events.ts';
import { type VirtualTime, virtualTime } from '../support/virtual-time.ts';

const COMMIT_MS = 4;

let time: VirtualTime;
/** What happened, in order, with its time. */
let happened: string[];
let commits: BatchChange[];
let failures: Error[];
let roomAtMs: number;
let source: Subject<Delivery>;
let summaries: BatchSummary[];

function note(text: string): void {
  happened.push(`${time.scheduler.now()} ${text}`);
}

function after<T>(ms: number, value: () => T): Promise<T> {
  return new Promise((resolve, reject) => {
    time.scheduler.schedule(() => {
      try {
        resolve(value());
      } catch (error) {
        reject(error);
      }
    }, ms);
  });
}

/** A store in memory that takes its time, and fails as often as `failures` says. */
function memoryStore(): ViewStore {
  const applied = new Set<string>();
  const views = new Map<string, PeerView>();
  return {
    room: async () => {
      const waitMs = roomAtMs - time.scheduler.now();
      if (waitMs > 0) await after(waitMs, () => undefined);
    },
    applied: async (eventIds) => new Set(eventIds.filter((id) => applied.has(id))),
    views: async (peerIds) => new Map([...views].filter(([peerId]) => peerIds.includes(peerId))),
    commit: (change) =>
      after(COMMIT_MS, () => {
        const failure = failures.shift();
        if (failure !== undefined) throw failure;
        for (const id of change.eventIds) applied.add(id);
        for (const view of change.views) views.set(view.peerId, view);
        commits.push(change);
        note(`commit ${change.eventIds.join(' ')}`);
      }),
  };
}

let log: { id: string };

function start({ batchSize = 3, batchMs = 10 } = {}): void {
  const options = { log, batchSize, batchMs, scheduler: time.scheduler };
  reduce(memoryStore(), {
    ...options,
    onFailure: ({ attempt, delayMs }) => note(`failure ${attempt}, again in ${delayMs}`),
  })(source).subscribe({ next: (summary) => summaries.push(summary), complete: () => note('complete') });
}

function send(position: number, from: LogEntry): void {
  source.next(delivery(position, from, () => note(`ack ${position}`)));
}

function observed(eventId: string, fields: Record<string, unknown> = {}): LogEntry {
  return entry(eventId, wireObservation({ event_id: eventId, ...fields }));
}

beforeEach(() => {
  time = virtualTime();
  log = { id: 'log' };
  happened = [];
  commits = [];
  failures = [];
  roomAtMs = 0;
  summaries = [];
  source = new Subject();
});

describe('reduce', () => {
  it('commits a full batch at once, a smaller one when it has waited, and acknowledges after the commit', async () => {
    start();
    for (const [index, id] of ['r:0', 'r:1', 'r:2', 'r:3'].entries()) send(index + 1, observed(id));
    await time.advance(30);
    expect(happened).toEqual(['4 commit r:0 r:1 r:2', '4 ack 1', '4 ack 2', '4 ack 3', '14 commit r:3', '14 ack 4']);
    expect(summaries).toEqual([
      { deliveries: 3, applied: 3, duplicates: 0, malformed: 0, position: 3 },
      { deliveries: 1, applied: 1, duplicates: 0, malformed: 0, position: 4 },
    ]);
  });

  it('tries a failed commit again, ever more slowly, and acknowledges nothing meanwhile', async () => {
    failures = [new Error('disk full'), new Error('disk full')];
    start({ batchSize: 1 });
    send(1, observed('r:0'));
    send(2, observed('r:1'));
    await time.advance(400);
    expect(happened).toEqual([
      '4 failure 1, again in 100',
      '108 failure 2, again in 200',
      '312 commit r:0',
      '312 ack 1',
      '316 commit r:1',
      '316 ack 2',
    ]);
    expect(commits[1]?.views[0]?.published.numObservations).toBe(2);
  });

  it('waits for room in the store', async () => {
    roomAtMs = 50;
    start({ batchSize: 1 });
    send(1, observed('r:0'));
    await time.advance(60);
    expect(happened).toEqual(['54 commit r:0', '54 ack 1']);
  });

  it('commits what waits when the source completes, and then completes', async () => {
    start();
    send(1, observed('r:0'));
    source.complete();
    await time.advance(10);
    expect(happened).toEqual(['4 commit r:0', '4 ack 1', '4 complete']);
  });

  it('applies an event once, however often it is delivered, within a batch and between batches', async () => {
    start();
    send(1, observed('r:0'));
    send(2, observed('r:0'));
    send(3, observed('r:1'));
    send(1, observed('r:0'));
    send(4, observed('r:2'));
    send(3, observed('r:1'));
    await time.advance(30);
    expect(commits.map((change) => change.eventIds)).toEqual([['r:0', 'r:1'], ['r:2']]);
    expect(commits.at(-1)?.views[0]?.published.numObservations).toBe(3);
    expect(summaries).toEqual([
      { deliveries: 3, applied: 2, duplicates: 1, malformed: 0, position: 3 },
      { deliveries: 3, applied: 1, duplicates: 2, malformed: 0, position: 4 },
    ]);
    expect(happened.filter((line) => line.includes('ack'))).toHaveLength(6);
  });

  it("leaves out what is somebody else's by the time of the commit", async () => {
    start();
    let isLapsed = false;
    const held = (position: number): Delivery => ({
      ...delivery(position, observed(`a:${position}`), () => note(`ack ${position}`)),
      isLapsed: () => isLapsed,
    });
    source.next(held(1));
    await time.advance(20);
    source.next(held(2));
    source.next(held(3));
    isLapsed = true;
    await time.advance(20);
    source.next({ ...held(4), isLapsed: () => false });
    source.next(held(5));
    await time.advance(20);
    expect(commits.flatMap(({ eventIds }) => eventIds)).toEqual(['a:1', 'a:4']);
    expect(happened.filter((line) => line.includes('ack'))).toEqual(['14 ack 1', '54 ack 4']);
    expect(summaries).toMatchObject([{ applied: 1 }, { deliveries: 1, applied: 1 }]);
  });

  it("goes by the event's own id, and by the log's when it has none", async () => {
    start();
    send(1, entry('log-a', wireObservation({ event_id: 'own' })));
    send(2, entry('log-b', wireObservation({ event_id: 'own' })));
    send(3, entry('log-c', wireObservation()));
    await time.advance(10);
    expect(commits[0]?.eventIds).toEqual(['own', 'log-c']);
    expect(commits[0]?.events.map(({ event }) => event.event_id)).toEqual(['own', 'log-c']);
  });

  it('puts malformed events aside with a reason, acknowledges them, and goes on', async () => {
    start();
    const broken = new TextEncoder().encode('{"id": ');
    send(1, { subject: 'events.metadata_received', eventId: 'bad', payload: broken });
    send(2, entry('poison', wireObservation({ id: null })));
    send(3, entry('good', wireObservation({ metadata: null, subscribed_subnets: null })));
    await time.advance(10);
    expect(commits[0]?.deadLetters).toEqual([
      {
        key: expect.stringMatching(/^dead-/),
        position: 1,
        eventId: 'bad',
        subject: 'events.metadata_received',
        refusal: 'not JSON',
        reason: expect.any(String),
        payload: broken,
      },
      expect.objectContaining({ position: 2, reason: expect.stringContaining('id') }),
    ]);
    expect(commits[0]?.events).toHaveLength(1);
    expect(happened.filter((line) => line.includes('ack'))).toHaveLength(3);
    send(1, { subject: 'events.metadata_received', eventId: 'bad', payload: broken });
    await time.advance(20);
    expect(commits[1]?.deadLetters).toEqual([]);
  });

  it('stores positions under the name that the log has by then: a stream made anew under way is another one', async () => {
    start();
    send(7, observed('r:0'));
    await time.advance(20);
    log.id = 'anew';
    send(1, observed('r:1'));
    await time.advance(20);
    expect(commits.map(({ log: id, position }) => [id, position])).toEqual([
      ['log', 7],
      ['anew', 1],
    ]);
  });

  it('makes no view of a discovery', async () => {
    start({ batchSize: 1 });
    send(1, entry('found', wireDiscovery()));
    await time.advance(10);
    expect(commits[0]).toMatchObject({ views: [], eventIds: ['found'], position: 1, log: 'log' });
  });
});
