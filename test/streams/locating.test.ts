import { NEVER, Observable, of, Subject } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { type LocatingSummary, locating } from '../../src/streams/locating.ts';
import { type GeoChain, type Located, NOWHERE } from '../../src/streams/ports/geo-locator.ts';
import type { LocatedIp, LocationStore } from '../../src/streams/ports/location-store.ts';
import { type VirtualTime, virtualTime } from '../support/virtual-time.ts';

const ANSWER: Located = { location: NOWHERE, sources: [], provisional: [], version: 'v1', maxAgeMs: null };

function chainOf(locate: (ip: string) => Observable<Located>): GeoChain {
  return {
    sources: ['x'],
    attributions: [],
    problems: () => [],
    validVersions: async () => ['v1'],
    locate,
    close: async () => {},
  };
}

/** A store of addresses, due until they are saved. */
function memoryStore(ips: readonly string[]) {
  const due = new Set(ips);
  const saves: LocatedIp[][] = [];
  let looks = 0;
  const store: LocationStore = {
    due: async (_, __, limit) => {
      looks++;
      return [...due].slice(0, limit);
    },
    save: async (located) => {
      saves.push([...located]);
      for (const { ip } of located) due.delete(ip);
    },
    prune: async () => 0,
  };
  return { store, saves, due, looks: () => looks };
}

function start(chain: GeoChain, store: LocationStore, time: VirtualTime, wake$: Observable<unknown> = NEVER) {
  const summaries: LocatingSummary[] = [];
  const failures: unknown[] = [];
  const running = locating(chain, store, {
    concurrency: 3,
    wake$,
    idleMs: 30_000,
    scheduler: time.scheduler,
    onFailure: ({ error }) => failures.push(error),
  }).subscribe((summary) => summaries.push(summary));
  return { summaries, failures, running };
}

const ips = (count: number) => Array.from({ length: count }, (_, index) => `1.2.${index >> 8}.${index & 255}`);

describe('locating', () => {
  it('gives every address a location, a bounded number at a time, in batches', async () => {
    const time = virtualTime();
    const { store, saves, due } = memoryStore(ips(1_200));
    let underWay = 0;
    let most = 0;
    const chain = chainOf(
      () =>
        new Observable((subscriber) => {
          most = Math.max(most, ++underWay);
          time.scheduler.schedule(() => {
            underWay--;
            subscriber.next(ANSWER);
            subscriber.complete();
          }, 1);
        }),
    );
    const { running, summaries } = start(chain, store, time);
    await time.advance(600);
    expect(due.size).toBe(0);
    expect(most).toBe(3);
    expect(Math.max(...saves.map((save) => save.length))).toBeLessThanOrEqual(100);
    expect(summaries.reduce((sum, { addresses }) => sum + addresses, 0)).toBe(1_200);
    running.unsubscribe();
  });

  it('saves what is found while others are still looked up', async () => {
    const time = virtualTime();
    const { store, saves } = memoryStore(['1.1.1.1', '2.2.2.2']);
    const { running } = start(
      chainOf((ip) => (ip === '1.1.1.1' ? of(ANSWER) : NEVER)),
      store,
      time,
    );
    await time.advance(1_010);
    expect(saves.map((save) => save.map(({ ip }) => ip))).toEqual([['1.1.1.1']]);
    running.unsubscribe();
  });

  it('rests when nothing is due, and looks again when woken or after a while', async () => {
    const time = virtualTime();
    const wake$ = new Subject<void>();
    const { store, saves, due, looks } = memoryStore([]);
    const { running } = start(
      chainOf(() => of(ANSWER)),
      store,
      time,
      wake$,
    );
    await time.advance(500);
    for (let woken = 0; woken < 100; woken++) wake$.next();
    await time.advance(400);
    expect(looks()).toBe(1);
    due.add('1.1.1.1');
    await time.advance(200);
    expect(saves).toHaveLength(1);
    expect(looks()).toBe(3);
    await time.advance(29_000);
    expect(looks()).toBe(3);
    await time.advance(2_000);
    expect(looks()).toBe(4);
    wake$.complete();
    await time.advance(31_000);
    expect(looks()).toBe(5);
    running.unsubscribe();
  });

  it('tries again when the store fails, and tells', async () => {
    const time = virtualTime();
    const { store, saves } = memoryStore(['1.1.1.1']);
    let failing = 2;
    const flaky: LocationStore = {
      ...store,
      save: async (located, nowMs) => {
        if (failing-- > 0) throw new Error('disk full');
        return store.save(located, nowMs);
      },
    };
    const { running, failures } = start(
      chainOf(() => of(ANSWER)),
      flaky,
      time,
    );
    await time.advance(5_000);
    expect(failures).toHaveLength(2);
    expect(saves).toHaveLength(1);
    running.unsubscribe();
  });

  it('gives up look-ups under way when it is stopped', async () => {
    const time = virtualTime();
    const { store } = memoryStore(ips(10));
    let underWay = 0;
    const chain = chainOf(
      () =>
        new Observable(() => {
          underWay++;
          return () => underWay--;
        }),
    );
    const { running } = start(chain, store, time);
    await time.advance(5);
    expect(underWay).toBe(3);
    running.unsubscribe();
    expect(underWay).toBe(0);
  });
});
