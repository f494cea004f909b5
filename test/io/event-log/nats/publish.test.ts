import fc from 'fast-check';
import type { JetStreamClient, PubAck } from 'nats';
import { describe, expect, it } from 'vitest';
import { publishAll } from '../../../../src/io/event-log/nats/publish.ts';
import type { LogEntry } from '../../../../src/streams/ports/event-log.ts';
import { entry, wireDiscovery, wireObservation } from '../../../support/events.ts';

/** Events `<peer>:<n>`, in turn an announcement and an observation. */
function eventsOf(peers: readonly number[]): LogEntry[] {
  const counts = new Map<number, number>();
  return peers.map((peer) => {
    const n = counts.get(peer) ?? 0;
    counts.set(peer, n + 1);
    const id = `peer${peer}`;
    return entry(`${id}:${n}`, n % 2 === 0 ? wireDiscovery({ id }) : wireObservation({ id }));
  });
}

type Fate = 'stored' | 'lost' | 'stored, unacknowledged';

/** A server that stores in its own time, loses some messages and some acknowledgements, and knows ids. */
function fakeServer(fateOf: (attempt: number) => Fate, delayOf: (attempt: number) => number) {
  const stored: string[] = [];
  let attempts = 0;
  let inFlight = 0;
  let mostInFlight = 0;
  const publish = async (_: string, __: unknown, options?: { msgID?: string }): Promise<PubAck> => {
    const attempt = attempts++;
    const fate = fateOf(attempt);
    mostInFlight = Math.max(mostInFlight, ++inFlight);
    for (let turn = 0; turn < delayOf(attempt); turn++) await null;
    inFlight--;
    const id = options?.msgID ?? '';
    if (fate !== 'lost' && !stored.includes(id)) stored.push(id);
    if (fate !== 'stored') throw new Error('TIMEOUT');
    return { stream: 'EVENTS', seq: stored.indexOf(id) + 1, domain: '', duplicate: false };
  };
  return { jetstream: { publish } as unknown as JetStreamClient, stored, mostInFlight: () => mostInFlight };
}

const ALWAYS = { timeoutMs: 1, check: () => undefined };

describe('publishAll', () => {
  it('never turns the events of one peer round, whatever is lost and whenever it is tried again', async () => {
    const fate = fc.constantFrom<Fate>('stored', 'stored', 'stored', 'lost', 'stored, unacknowledged');
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 60 }),
        fc.array(fate, { maxLength: 60 }),
        fc.array(fc.integer({ min: 0, max: 8 }), { minLength: 1, maxLength: 20 }),
        async (peers, fates, delays) => {
          const events = eventsOf(peers);
          const { jetstream, stored } = fakeServer(
            (attempt) => fates[attempt] ?? 'stored',
            (attempt) => delays[attempt % delays.length] ?? 0,
          );
          let highest: number | null = null;
          while (highest === null) highest = await publishAll(jetstream, events, ALWAYS).catch(() => null);
          expect(highest).toBe(events.length);
          expect([...stored].sort()).toEqual(events.map(({ eventId }) => eventId).sort());
          for (const peer of new Set(peers)) {
            const isOfPeer = (id: string) => id.startsWith(`peer${peer}:`);
            const sent = events.map(({ eventId }) => eventId).filter(isOfPeer);
            expect(stored.filter(isOfPeer)).toEqual(sent);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('has many on their way at a time, one of each peer', async () => {
    const many = fakeServer(
      () => 'stored',
      () => 5,
    );
    await publishAll(many.jetstream, eventsOf(Array.from({ length: 300 }, (_, peer) => peer)), ALWAYS);
    expect(many.mostInFlight()).toBe(300);
    const one = fakeServer(
      () => 'stored',
      () => 5,
    );
    await publishAll(one.jetstream, eventsOf(Array.from({ length: 300 }, () => 7)), ALWAYS);
    expect(one.mostInFlight()).toBe(1);
  });

  it('publishes nothing more once it may not', async () => {
    const server = fakeServer(
      () => 'stored',
      () => 1,
    );
    const changed = new Error('another stream');
    const check = () => {
      if (server.stored.length >= 3) throw changed;
    };
    const events = eventsOf(Array.from({ length: 50 }, () => 1));
    await expect(publishAll(server.jetstream, events, { ...ALWAYS, check })).rejects.toBe(changed);
    expect(server.stored).toHaveLength(3);
  });

  it('has nothing on its way when it rejects', async () => {
    let open = 0;
    const jetstream = {
      async publish(_: string, __: unknown, options?: { msgID?: string }) {
        open++;
        for (let turn = 0; turn < (options?.msgID === 'peer0:0' ? 1 : 50); turn++) await null;
        open--;
        if (options?.msgID === 'peer0:0') throw new Error('TIMEOUT');
        return { stream: '', seq: 1, domain: '', duplicate: false };
      },
    } as unknown as JetStreamClient;
    await expect(publishAll(jetstream, eventsOf([0, 1, 2, 3]), ALWAYS)).rejects.toThrow('TIMEOUT');
    expect(open).toBe(0);
  });
});
