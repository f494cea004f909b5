import { defer, merge, Subject } from 'rxjs';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createLogger } from '../../../src/io/logging/logger.ts';
import { openPlaces } from '../../../src/programs/consumer/places.ts';
import { DEFAULT_KEEP } from '../../../src/programs/consumer/retention.ts';
import { type Storing, startStoring } from '../../../src/programs/consumer/storing.ts';
import { program } from '../../../src/programs/program.ts';
import { startApi } from '../../../src/programs/serving.ts';
import { entry, wireObservation } from '../../support/events.ts';
import { type MemoryLog, memoryLog } from '../../support/memory-log.ts';
import { tcpServerOn } from '../../support/open-handles.ts';
import { tempDir } from '../../support/temp-dir.ts';

/** The parts that store and serve, taken away from under the program. */

let folder: Awaited<ReturnType<typeof tempDir>>;
let stack: AsyncDisposableStack;
let log: MemoryLog;
let lost$: Subject<never>;
let said: string[];
let store: Storing;
let url: string;

beforeEach(async () => {
  folder = await tempDir();
  stack = new AsyncDisposableStack();
  stack.defer(() => folder.remove());
  log = memoryLog();
  lost$ = new Subject();
  said = [];
  const logger = createLogger({
    level: 'info',
    format: 'json',
    write: (line) => said.push((JSON.parse(line) as { msg: string }).msg),
  });
  const breakable = {
    ...log,
    deliveries: (options: never) =>
      merge(
        log.deliveries(options),
        defer(() => lost$),
      ),
  };
  const dataDir = folder.path;
  const { parts } = await program()
    .with('places', () => openPlaces({ order: ['embedded'], devnetFile: null, logger }))
    .with('storing', ({ places: { chain: places } }) =>
      startStoring({
        log: breakable,
        dataDir,
        durable: 'consumer-valtrack',
        network: null,
        places,
        rotateRows: 50_000,
        rotateMs: 300_000,
        keep: DEFAULT_KEEP,
        logger,
      }),
    )
    .with('serving', ({ storing: { stored } }, vitals) =>
      startApi({ host: '127.0.0.1', port: 0, apiKeys: 'api_keys.txt', dataDir, stored, vitals, logger }),
    )
    .start(stack);
  store = parts.storing;
  url = parts.serving.url;
});
afterEach(() => stack.disposeAsync());

async function readyz(): Promise<{ status: number; reasons: string[] }> {
  const response = await fetch(`${url}/readyz`);
  return { status: response.status, reasons: ((await response.json()) as { reasons: string[] }).reasons };
}

const observe = (count: number) =>
  log.append([
    entry(`test:${count}`, wireObservation({ id: 'peer', event_id: `test:${count}`, timestamp: count + 1 })),
  ]);

async function metrics(name: string): Promise<string[]> {
  const page = await (await fetch(`${url}/metrics`)).text();
  return page.split('\n').filter((line) => line.startsWith(`valtrack_${name}`));
}

async function observations(): Promise<number> {
  const peers = (await (await fetch(`${url}/validators`)).json()) as { num_observations: number }[];
  return peers[0]?.num_observations ?? 0;
}

it('a consumer that has lost its event log is started again, while the server says so, and counts nothing twice', async () => {
  await observe(0);
  await vi.waitFor(async () => expect(await observations()).toBe(1));

  lost$.error(new Error('the stream is of another kind'));
  await vi.waitFor(async () =>
    expect(await readyz()).toEqual({
      status: 503,
      reasons: ['the consumer has failed and is started again: the stream is of another kind'],
    }),
  );
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  expect((await fetch(`${url}/validators`)).status).toBe(503);
  expect(await store.summary()).toBeNull();

  lost$ = new Subject();
  log.rewind();
  await observe(1);
  await vi.waitFor(async () => expect(await readyz()).toEqual({ status: 200, reasons: [] }));
  await vi.waitFor(async () => expect(await observations()).toBe(2));
  expect(said).toContain('the consumer runs again');
  // Over both consumers: one event each, and the first one's again.
  expect(store.counts()).toMatchObject({ deliveries: 3, applied: 2, duplicates: 1 });
  expect(await metrics('events_total')).toEqual([
    'valtrack_events_total{outcome="applied"} 2',
    'valtrack_events_total{outcome="duplicate"} 1',
    'valtrack_events_total{outcome="malformed"} 0',
  ]);
  expect(await metrics('part_restarts_total')).toEqual([
    'valtrack_part_restarts_total{part="consumer"} 1',
    'valtrack_part_restarts_total{part="HTTP server"} 0',
  ]);
});

it('a server that no longer listens is started again on the same port, while the consumer goes on', async () => {
  const { port } = new URL(url);
  const { consumer } = store;
  tcpServerOn(Number(port)).close();
  await expect(fetch(`${url}/healthz`)).rejects.toThrow();
  await observe(0);
  await vi.waitFor(async () => expect(await observations()).toBe(1));
  expect(store.consumer).toBe(consumer);
  expect(said).toContain('the HTTP server runs again');
  expect(await metrics('part_restarts_total')).toContain('valtrack_part_restarts_total{part="HTTP server"} 1');
});
