import { utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NEVER } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { geoChain } from '../../../src/io/geo/chain.ts';
import { openGeoLocator } from '../../../src/io/geo/open.ts';
import { type Geolocation, startGeolocation } from '../../../src/programs/consumer/geolocation.ts';
import { type Consumer, startConsumer } from '../../../src/programs/consumer/start-consumer.ts';
import type { GeoChain } from '../../../src/streams/ports/geo-locator.ts';
import { entry, wireObservation } from '../../support/events.ts';
import { fakeLocator, place, silent } from '../../support/geo/locators.ts';
import { type MemoryLog, memoryLog } from '../../support/memory-log.ts';
import { tempDir } from '../../support/temp-dir.ts';

let folder: Awaited<ReturnType<typeof tempDir>>;
let log: MemoryLog;
let consumer: Consumer;
let geolocation: Geolocation | undefined;

beforeEach(async () => {
  folder = await tempDir();
  log = memoryLog();
  consumer = await consume();
});
afterEach(async () => {
  geolocation?.close();
  geolocation = undefined;
  await consumer.close();
  await folder.remove();
});

function consume(): Promise<Consumer> {
  return startConsumer({ log, dataDir: folder.path, durable: 'd', logger: silent, batchMs: 5 });
}

function locate(chain: GeoChain): void {
  const { database, summaries } = consumer;
  geolocation = startGeolocation({ chain, database, wake$: summaries, logger: silent, idleMs: 50 });
}

let events = 0;
async function observe(peerId: string, ip: string): Promise<void> {
  const id = `run:${events++}`;
  const multiaddr = `/ip${ip.includes(':') ? 6 : 4}/${ip}/tcp/9000`;
  await log.append([
    entry(id, wireObservation({ id: peerId, multiaddr, timestamp: 1_716_910_737_176 + events, event_id: id })),
  ]);
}

async function countries(): Promise<Record<string, unknown>> {
  const rows = await consumer.database.reader.all<{ peer_id: string; country: string | null }>(
    'SELECT peer_id, country FROM validator_tracker ORDER BY peer_id',
  );
  return Object.fromEntries(rows.map((row) => [row.peer_id, row.country]));
}

describe('geolocation beside the consumer', () => {
  it('places observed peers from the data that come with the program', async () => {
    locate(await openGeoLocator({}, { logger: silent }));
    await observe('hetzner', '88.198.1.1');
    await observe('comcast', '2601:640::1');
    await observe('lan', '10.0.0.1');
    await vi.waitFor(async () => expect(await countries()).toEqual({ comcast: 'US', hetzner: 'DE', lan: null }), {
      timeout: 10_000,
    });
    expect(
      await consumer.database.reader.get(
        "SELECT asn, asn_organization, asn_type FROM validator_tracker WHERE peer_id = 'hetzner'",
      ),
    ).toEqual({ asn: 'AS24940', asn_organization: 'Hetzner Online GmbH', asn_type: 'hosting' });
  });

  it('never holds the consumer up, and a peer that cannot be placed is there all the same', async () => {
    const stuck = fakeLocator('stuck', () => new Promise(() => {}));
    locate(geoChain([stuck], silent));
    await observe('first', '88.198.1.1');
    await vi.waitFor(() => expect(stuck.asked).toHaveLength(1), { timeout: 5_000 });
    for (const last of [2, 3, 4]) await observe(`peer-${last}`, `88.198.1.${last}`);
    await consumer.reached(({ applied }) => applied === 4);
    expect(Object.keys(await countries())).toEqual(['first', 'peer-2', 'peer-3', 'peer-4']);
  });

  it('asks about an address once, however many peers, observations and restarts there are', async () => {
    const source = fakeLocator('source', () => place('DE'));
    locate(geoChain([source], silent));
    for (const id of ['a', 'b', 'a']) await observe(id, '88.198.1.1');
    await vi.waitFor(async () => expect(await countries()).toEqual({ a: 'DE', b: 'DE' }), { timeout: 5_000 });
    geolocation?.close();
    await consumer.close();
    consumer = await consume();
    locate(geoChain([source], silent));
    await observe('c', '88.198.1.1');
    await observe('d', '88.198.1.2');
    await vi.waitFor(async () => expect(await countries()).toEqual({ a: 'DE', b: 'DE', c: 'DE', d: 'DE' }), {
      timeout: 5_000,
    });
    expect(source.asked).toEqual(['88.198.1.1', '88.198.1.2']);
  });

  it('goes on where a restart broke it off', async () => {
    const stuck = fakeLocator('source', () => new Promise(() => {}));
    locate(geoChain([stuck], silent));
    await observe('a', '88.198.1.1');
    await vi.waitFor(() => expect(stuck.asked).toHaveLength(1), { timeout: 5_000 });
    geolocation?.close();
    locate(geoChain([fakeLocator('source', () => place('DE'))], silent));
    await vi.waitFor(async () => expect(await countries()).toEqual({ a: 'DE' }), { timeout: 5_000 });
  });

  it('places peers anew when a data file has changed', async () => {
    const path = join(folder.path, 'ip_metadata.csv');
    await writeFile(path, '88.198.1.1,,Bern,Bern,CH,,,,\n');
    locate(await openGeoLocator({ order: ['ip-metadata'], ipMetadataFile: path }, { logger: silent }));
    await observe('moved', '88.198.1.1');
    await observe('added', '88.198.1.2');
    await vi.waitFor(async () => expect(await countries()).toEqual({ added: null, moved: 'CH' }), { timeout: 5_000 });
    await writeFile(path, '88.198.1.1,,Graz,Graz,AT,,,,\n88.198.1.2,,Rom,Lazio,IT,,,,\n');
    await utimes(path, 2_000_000_000, 2_000_000_000);
    await vi.waitFor(async () => expect(await countries()).toEqual({ added: 'IT', moved: 'AT' }), { timeout: 5_000 });
  });

  it('counts, and reports what fails', async () => {
    locate(
      geoChain(
        [fakeLocator('source', (ip) => (ip.endsWith('.1') ? place('DE') : Promise.reject(new Error('no'))))],
        silent,
      ),
    );
    await observe('a', '88.198.1.1');
    await observe('b', '88.198.1.2');
    await vi.waitFor(() => expect(geolocation?.counts()).toEqual({ addresses: 2, placed: 1, provisional: 1 }), {
      timeout: 5_000,
    });
    expect(geolocation?.problems()).toEqual(['source: no']);
  });

  it('settles when every address was asked about, one that no source can tell of too, and does not wait for ever', async () => {
    const sources = [
      fakeLocator('source', (ip) => (ip.endsWith('.1') ? place('DE') : Promise.reject(new Error('no')))),
    ];
    locate(geoChain(sources, silent));
    await observe('a', '88.198.1.1');
    await observe('b', '88.198.1.2');
    await consumer.reached(({ applied }) => applied === 2);
    await geolocation?.settled(10_000);
    expect(geolocation?.counts()).toEqual({ addresses: 2, placed: 1, provisional: 1 });
    geolocation?.close();
    locate(geoChain([fakeLocator('stuck', () => new Promise(() => {}))], silent));
    await observe('c', '88.198.1.3');
    await consumer.reached(({ applied }) => applied === 3);
    await geolocation?.settled(50);
    expect(await countries()).toEqual({ a: 'DE', b: null, c: null });
  });

  it('without any source does nothing', async () => {
    const { database } = consumer;
    geolocation = startGeolocation({ chain: geoChain([], silent), database, wake$: NEVER, logger: silent });
    await observe('a', '88.198.1.1');
    await consumer.reached(({ applied }) => applied === 1);
    expect(await countries()).toEqual({ a: null });
    expect(geolocation.counts()).toEqual({ addresses: 0, placed: 0, provisional: 0 });
  });
});
