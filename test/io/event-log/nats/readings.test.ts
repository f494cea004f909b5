import { BehaviorSubject } from 'rxjs';
import { beforeEach, expect, it, vi } from 'vitest';
import type { NatsLink } from '../../../../src/io/event-log/nats/connection.ts';
import { type NatsReadings, natsReadings } from '../../../../src/io/event-log/nats/readings.ts';
import type { NatsTopology } from '../../../../src/io/event-log/nats/topology.ts';
import { EventLogUsageError } from '../../../../src/streams/ports/event-log.ts';
import { WAIT } from '../../../support/event-log/contract.ts';
import { loggerWithLines } from './support/lines.ts';

/** Durables of which none can be read: why is what the server says of each. */

let readings: NatsReadings;

beforeEach(() => {
  const connected$ = new BehaviorSubject(true);
  const link = { connected$, isConnected: () => true, losses: () => 0 } as unknown as NatsLink;
  const topology = {
    ensureDurable: async (durable: string) => {
      throw new Error(`no room for ${durable}`);
    },
  } as unknown as NatsTopology;
  const { logger } = loggerWithLines();
  readings = natsReadings({ link, topology, logger, replicas: 1, lease: undefined });
});

const read = (durable: string) => readings.deliveries({ durable, maxInFlight: 10 }).subscribe();

it('tells why nothing comes, for as long as somebody reads what does not come', async () => {
  expect(readings.problem()).toBe(null);
  const [a, b] = [read('a'), read('b')];
  await vi.waitFor(() => expect(readings.problem()).toBe('pulling from NATS failed: no room for a'), WAIT);
  a.unsubscribe();
  expect(readings.problem()).toBe('pulling from NATS failed: no room for b');
  b.unsubscribe();
  expect(readings.problem()).toBe(null);
});

it('lets one read a durable at a time, and the next when that one has left', () => {
  const errors: unknown[] = [];
  const deliveries$ = readings.deliveries({ durable: 'a', maxInFlight: 10 });
  const first = deliveries$.subscribe();
  deliveries$.subscribe({ error: (error: unknown) => errors.push(error) });
  expect(errors).toEqual([new EventLogUsageError('the durable a already has a subscriber')]);
  first.unsubscribe();
  const next = deliveries$.subscribe({ error: (error: unknown) => errors.push(error) });
  expect(errors).toHaveLength(1);
  next.unsubscribe();
});
