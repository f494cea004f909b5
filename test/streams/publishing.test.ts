import { Subject, type VirtualTimeScheduler } from 'rxjs';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Delivery, LogEntry } from '../../src/streams/ports/event-log.ts';
import { type PublishedStream, type Spool, StreamChangedError } from '../../src/streams/ports/spool.ts';
import type { Remembered, StreamMemory } from '../../src/streams/ports/stream-memory.ts';
import { publishing } from '../../src/streams/publishing.ts';
import { entry, wireDiscovery } from '../support/events.ts';
import { type VirtualTime, virtualTime } from '../support/virtual-time.ts';

const POLL_MS = 1_000;

/** A spool in memory that keeps entries until both cursors are past them. */
function fakeSpool() {
  const all: LogEntry[] = [];
  const cursors = new Map([
    ['published', 0],
    ['consumed', 0],
  ]);
  let wake = () => {};
  const closed = new Subject<void>();
  let sessions = 0;
  const spool: Spool = {
    cursor: (durable) => cursors.get(durable) ?? 0,
    advance: (durable, position) => cursors.set(durable, Math.max(position, spool.cursor(durable))),
    async rewind(durable, position) {
      cursors.set(durable, position);
    },
    async ids(after, upTo, limit) {
      const held = all.map(({ eventId }, index) => ({ eventId, position: index + 1 }));
      return held.slice(after, upTo).slice(0, limit);
    },
    deliveries: ({ durable }) => {
      sessions++;
      const deliveries = new Subject<Delivery>();
      let next = spool.cursor(durable);
      wake = () => {
        while (deliveries.observed && next < all.length) {
          const position = ++next;
          deliveries.next({
            ...(all[position - 1] as LogEntry),
            position,
            ack: () => spool.advance(durable, position),
          });
        }
      };
      closed.subscribe(() => deliveries.complete());
      queueMicrotask(() => wake());
      return deliveries;
    },
  };
  return {
    spool,
    append(...ids: string[]) {
      all.push(...ids.map((id) => entry(id, wireDiscovery())));
      wake();
    },
    close: () => closed.next(),
    cursors,
    sessions: () => sessions,
  };
}

/** A stream in memory, which forgets what was read. */
function fakeStream() {
  const stored: string[] = [];
  let incarnation = 'first';
  let first = 1;
  let last = 0;
  let away = false;
  let losses = 0;
  let full = false;
  let readers: Readonly<Record<string, string>> = {};
  let unapplied: ReadonlySet<string> | null = new Set();
  const stream: PublishedStream = {
    async state() {
      if (away) throw new Error('away');
      return { incarnation, session: `${incarnation} ${losses}`, firstSequence: first, lastSequence: last, readers };
    },
    async publish(entries, { session, isRepeated }) {
      if (full) throw new Error('full');
      if (away) throw new Error('away');
      if (session !== `${incarnation} ${losses}`) throw new StreamChangedError('another one');
      for (const { eventId } of entries) {
        const id = `${eventId}@${incarnation}`;
        // As a server that remembers ids: it takes for stored what it has ever stored.
        if (!stored.includes(id) || isRepeated) stored.push(id);
      }
      last += entries.length;
      return last;
    },
    async unapplied(eventIds) {
      return unapplied === null ? null : new Set(eventIds.filter((eventId) => unapplied?.has(eventId)));
    },
  };
  return {
    stream,
    stored,
    /** Answers late with what was true when it was asked, as a busy server does. */
    async staleState() {
      const state = await stream.state();
      await new Promise<void>((resolve) => scheduler.schedule(() => resolve(), 500));
      return state;
    },
    readAll: () => {
      first = last + 1;
    },
    cut: () => {
      losses++;
    },
    replaceBy(name: string) {
      incarnation = name;
      first = 1;
      last = 0;
    },
    loseLast: (count: number) => {
      last -= count;
    },
    setUnapplied: (now: readonly string[] | null) => {
      unapplied = now === null ? null : new Set(now);
    },
    setReaders: (now: Readonly<Record<string, string>>) => {
      readers = now;
    },
    setFull: (isFull: boolean) => {
      full = isFull;
    },
    setAway: (isAway: boolean) => {
      away = isAway;
    },
  };
}

function fakeMemory(): StreamMemory & { value: Remembered | null } {
  const memory = {
    value: null as Remembered | null,
    load: async () => memory.value,
    save: async (remembered: Remembered) => {
      memory.value = remembered;
    },
  };
  return memory;
}

let time: VirtualTime;
let scheduler: VirtualTimeScheduler;
beforeEach(() => {
  time = virtualTime();
  scheduler = time.scheduler;
});

function start(
  from: ReturnType<typeof fakeSpool>,
  to: ReturnType<typeof fakeStream>,
  memory = fakeMemory(),
  settleMs = 0,
) {
  const told: string[] = [];
  const working = { publish: true, ask: true };
  const subscription = publishing({
    spool: from.spool,
    stream: to.stream,
    published: 'published',
    consumed: 'consumed',
    memory,
    batchSize: 2,
    batchMs: 5,
    pollMs: POLL_MS,
    settleMs,
    scheduler,
    onFailure: (doing, { error }) => {
      working[doing] = false;
      told.push(`failed ${(error as Error).message}`);
    },
    onSuccess: (doing) => {
      working[doing] = true;
    },
    onChanged: ({ from: after, to: upTo }) => told.push(`again ${after} to ${upTo}`),
  }).subscribe({
    next: ({ published }) => told.push(`published ${published}`),
    error: (error: unknown) => told.push(`error ${String(error)}`),
    complete: () => told.push('complete'),
  });
  return { told, working, subscription, memory };
}

describe('publishing', () => {
  it('lets go of what was published once it has been read there', async () => {
    const [from, to] = [fakeSpool(), fakeStream()];
    const { told } = start(from, to);
    from.append('a', 'b', 'c');
    await time.advance(100);
    expect(to.stored).toEqual(['a@first', 'b@first', 'c@first']);
    expect(Object.fromEntries(from.cursors)).toEqual({ published: 3, consumed: 0 });
    await time.advance(3 * POLL_MS);
    expect(from.cursors.get('consumed')).toBe(0);
    to.readAll();
    await time.advance(POLL_MS);
    expect(from.cursors.get('consumed')).toBe(3);
    expect(told).toEqual(['published 2', 'published 3']);
  });

  it('publishes again what was not read when the stream was made anew under way, oldest first', async () => {
    const [from, to] = [fakeSpool(), fakeStream()];
    const { told } = start(from, to);
    from.append('a', 'b');
    await time.advance(100);
    to.readAll();
    await time.advance(POLL_MS);
    from.append('c', 'd');
    await time.advance(100);
    to.replaceBy('second');
    from.append('e');
    await time.advance(100);
    expect(to.stored).toEqual(
      ['a', 'b', 'c', 'd'].map((id) => `${id}@first`).concat(['c', 'd', 'e'].map((id) => `${id}@second`)),
    );
    expect(told).toContain('again 2 to 4');
    to.readAll();
    await time.advance(POLL_MS);
    expect(Object.fromEntries(from.cursors)).toEqual({ published: 5, consumed: 5 });
  });

  it('notices that without anything new to publish', async () => {
    const [from, to] = [fakeSpool(), fakeStream()];
    start(from, to);
    from.append('a');
    await time.advance(100);
    to.replaceBy('second');
    await time.advance(POLL_MS + 100);
    expect(to.stored).toEqual(['a@first', 'a@second']);
  });

  it('notices that at the next start', async () => {
    const [from, to] = [fakeSpool(), fakeStream()];
    const before = start(from, to);
    from.append('a', 'b');
    await time.advance(100);
    before.subscription.unsubscribe();
    to.replaceBy('second');
    start(from, to, before.memory);
    await time.advance(100);
    expect(to.stored.slice(2)).toEqual(['a@second', 'b@second']);
    expect(before.memory.value?.incarnation).toBe('second');
  });

  it('publishes nothing again at the next start to the same stream, and learns what was read meanwhile', async () => {
    const [from, to] = [fakeSpool(), fakeStream()];
    const before = start(from, to);
    from.append('a', 'b');
    await time.advance(POLL_MS + 100);
    before.subscription.unsubscribe();
    to.readAll();
    start(from, to, before.memory);
    await time.advance(2 * POLL_MS);
    expect(to.stored).toEqual(['a@first', 'b@first']);
    expect(from.cursors.get('consumed')).toBe(2);
  });

  it.each(['the connection is lost', 'it starts again'])(
    'publishes again what was confirmed shortly before %s, and does not take it for read before it is certain',
    async (what) => {
      const [from, to] = [fakeSpool(), fakeStream()];
      const before = start(from, to, fakeMemory(), 2 * POLL_MS);
      from.append('a');
      await time.advance(3 * POLL_MS + 100);
      from.append('b');
      await time.advance(100);
      // A server that is being stopped drops what it confirms, so that it looks as if it were read.
      to.readAll();
      await time.advance(POLL_MS);
      expect(from.cursors.get('consumed')).toBe(1);
      if (what === 'it starts again') {
        before.subscription.unsubscribe();
        start(from, to, before.memory, 2 * POLL_MS);
      } else {
        to.cut();
      }
      await time.advance(POLL_MS + 100);
      expect(to.stored).toEqual(['a@first', 'b@first', 'b@first']);
      to.readAll();
      await time.advance(4 * POLL_MS);
      expect(Object.fromEntries(from.cursors)).toEqual({ published: 2, consumed: 2 });
      expect(to.stored).toHaveLength(3);
      expect(before.told.filter((line) => line.startsWith('again'))).toEqual([]);
    },
  );

  it('publishes again what a stream has lost that came back with an older store', async () => {
    const [from, to] = [fakeSpool(), fakeStream()];
    start(from, to);
    from.append('a', 'b');
    await time.advance(100);
    to.loseLast(1);
    // Looked at three times.
    await time.advance(3 * POLL_MS + 100);
    expect(to.stored).toEqual(['a@first', 'b@first', 'a@first', 'b@first']);
  });

  it.each(['while it runs', 'while it is away'])(
    'does so when the connection was lost meanwhile, %s, and takes nothing of that for read',
    async (when) => {
      const [from, to] = [fakeSpool(), fakeStream()];
      const before = start(from, to);
      from.append('a', 'b');
      // Certain by now.
      await time.advance(3 * POLL_MS);
      if (when === 'while it is away') before.subscription.unsubscribe();
      to.loseLast(1);
      to.cut();
      if (when === 'while it is away') start(from, to, before.memory);
      to.readAll();
      await time.advance(5 * POLL_MS);
      expect(to.stored).toEqual(['a@first', 'b@first', 'a@first', 'b@first']);
      expect(from.cursors.get('consumed')).toBe(0);
      to.readAll();
      await time.advance(3 * POLL_MS);
      expect(from.cursors.get('consumed')).toBe(2);
    },
  );

  it.each(['while it runs', 'while it is away'])(
    'publishes again what was not read when a reader of others was made anew %s',
    async (when) => {
      const [from, to] = [fakeSpool(), fakeStream()];
      to.setReaders({ other: 'one' });
      const before = start(from, to);
      from.append('a', 'b');
      await time.advance(3 * POLL_MS);
      if (when === 'while it is away') before.subscription.unsubscribe();
      to.setReaders({ other: 'two' });
      if (when === 'while it is away') start(from, to, before.memory);
      await time.advance(2 * POLL_MS);
      expect(to.stored).toEqual(['a@first', 'b@first', 'a@first', 'b@first']);
      await time.advance(5 * POLL_MS);
      expect(to.stored).toHaveLength(4);
    },
  );

  it('publishes nothing again when a reader of others comes or goes', async () => {
    const [from, to] = [fakeSpool(), fakeStream()];
    start(from, to);
    from.append('a');
    for (const readers of [{ other: 'one' }, {}, { other: 'one', third: 'x' }]) {
      await time.advance(2 * POLL_MS);
      to.setReaders(readers);
    }
    await time.advance(2 * POLL_MS);
    expect(to.stored).toEqual(['a@first']);
  });

  it('publishes again what has left the stream and was not applied, and keeps it until it has been', async () => {
    const [from, to] = [fakeSpool(), fakeStream()];
    const { told } = start(from, to);
    from.append('a', 'b', 'c', 'd');
    await time.advance(100);
    to.setUnapplied(['c']);
    to.readAll();
    await time.advance(POLL_MS);
    expect(from.cursors.get('consumed')).toBe(2);
    await time.advance(100);
    expect(to.stored.slice(4)).toEqual(['c@first', 'd@first']);
    expect(told.at(-2)).toBe('again 2 to 4');
    to.setUnapplied([]);
    to.readAll();
    await time.advance(POLL_MS);
    expect(from.cursors.get('consumed')).toBe(4);
  });

  it('keeps what has left the stream while its reader does not say whether it was applied', async () => {
    const [from, to] = [fakeSpool(), fakeStream()];
    const { told, working } = start(from, to);
    from.append('a', 'b');
    await time.advance(100);
    to.setUnapplied(null);
    to.readAll();
    await time.advance(20 * POLL_MS);
    expect(from.cursors.get('consumed')).toBe(0);
    expect(to.stored).toEqual(['a@first', 'b@first']);
    expect(working).toEqual({ publish: true, ask: true });
    to.setUnapplied([]);
    await time.advance(POLL_MS);
    expect(from.cursors.get('consumed')).toBe(2);
    expect(told).toEqual(['published 2']);
  });

  it('publishes what is never applied at longer and longer intervals, a minute at most', async () => {
    const [from, to] = [fakeSpool(), fakeStream()];
    start(from, to);
    from.append('a');
    await time.advance(100);
    to.setUnapplied(['a']);
    const publishedIn = async (ms: number) => {
      const before = to.stored.length;
      for (let passedMs = 0; passedMs < ms; passedMs += POLL_MS / 2) {
        to.readAll();
        await time.advance(POLL_MS / 2);
      }
      return to.stored.length - before;
    };
    expect(await publishedIn(10_000)).toBeGreaterThan(2);
    await publishedIn(120_000);
    expect(await publishedIn(600_000)).toBe(10);
  });

  it('asks about what has left the stream in pages, however much it is', async () => {
    const [from, to] = [fakeSpool(), fakeStream()];
    const asked: number[] = [];
    const ask = to.stream.unapplied;
    to.stream.unapplied = (eventIds) => {
      asked.push(eventIds.length);
      return ask(eventIds);
    };
    start(from, to);
    from.append(...Array.from({ length: 2_500 }, (_, index) => `id${index}`));
    await time.advance(15_000);
    to.setUnapplied(['id2400']);
    to.readAll();
    await time.advance(POLL_MS);
    expect(asked).toEqual([1_000, 1_000, 500]);
    expect(from.cursors.get('consumed')).toBe(2_400);
  });

  it('is not misled by an answer that is older than the last acknowledgement', async () => {
    const [from, to] = [fakeSpool(), fakeStream()];
    const { told } = start(from, { ...to, stream: { ...to.stream, state: to.staleState } });
    for (let batch = 0; batch < 50; batch++) {
      from.append(`a${batch}`);
      await time.advance(200);
    }
    expect(to.stored).toHaveLength(50);
    expect(from.sessions()).toBe(1);
    expect(told.filter((line) => line.startsWith('again'))).toEqual([]);
  });

  it('publishes again what one of its readers was to have, though the stream still knows the ids', async () => {
    const [from, to] = [fakeSpool(), fakeStream()];
    to.replaceBy('first reader');
    start(from, to);
    from.append('a');
    await time.advance(100);
    to.replaceBy('first another-reader');
    await time.advance(POLL_MS + 100);
    expect(to.stored).toEqual(['a@first reader', 'a@first another-reader']);
  });

  it('waits while the stream is away, says so, and goes on', async () => {
    const [from, to] = [fakeSpool(), fakeStream()];
    to.setAway(true);
    const { told } = start(from, to);
    from.append('a');
    await time.advance(1_000);
    expect(new Set(told)).toEqual(new Set(['failed away']));
    to.setAway(false);
    await time.advance(5_000);
    expect(to.stored).toEqual(['a@first']);
    to.setAway(true);
    from.append('b');
    await time.advance(1_000);
    to.setAway(false);
    await time.advance(5_000);
    expect(to.stored).toEqual(['a@first', 'b@first']);
  });

  it('says that it cannot publish for as long as that is so, though the stream answers', async () => {
    const [from, to] = [fakeSpool(), fakeStream()];
    const { working } = start(from, to);
    from.append('a');
    await time.advance(100);
    to.setFull(true);
    from.append('b');
    await time.advance(100);
    for (let look = 0; look < 20; look++) {
      await time.advance(POLL_MS / 2);
      expect(working).toEqual({ publish: false, ask: true });
    }
    to.setFull(false);
    await time.advance(10_000);
    expect(working).toEqual({ publish: true, ask: true });
    expect(to.stored).toEqual(['a@first', 'b@first']);
  });

  it('completes with the spool, and has no timer afterwards', async () => {
    const [from, to] = [fakeSpool(), fakeStream()];
    const { told } = start(from, to);
    from.append('a');
    await time.advance(100);
    from.close();
    await time.advance(100);
    expect(told).toEqual(['published 1', 'complete']);
    expect(scheduler.actions).toEqual([]);
  });
});
