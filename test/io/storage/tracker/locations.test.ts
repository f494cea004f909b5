import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openTracker, type TrackerDatabase } from '../../../../src/io/storage/tracker/database.ts';
import { sqliteLocationStore } from '../../../../src/io/storage/tracker/locations.ts';
import { type Location, NOWHERE } from '../../../../src/streams/ports/geo-locator.ts';
import type { LocatedIp, LocationStore } from '../../../../src/streams/ports/location-store.ts';
import { tempDir } from '../../../support/temp-dir.ts';

let folder: Awaited<ReturnType<typeof tempDir>>;
let tracker: TrackerDatabase;
let store: LocationStore;

beforeEach(async () => {
  folder = await tempDir();
  tracker = await openTracker(folder.path);
  store = sqliteLocationStore(tracker);
});
afterEach(async () => {
  await tracker.close();
  await folder.remove();
});

/** As the reducer writes: the row is new, or gets what is here. */
async function writePeer(peerId: string, ip: string | null): Promise<void> {
  await tracker.writer.transaction(() =>
    tracker.writer.run(
      `INSERT INTO validator_tracker (peer_id, ip, last_seen, first_seen, possible_validator, max_validator_count, num_observations)
         VALUES (?, ?, 1, 1, 0, 0, 1)
       ON CONFLICT (peer_id) DO UPDATE SET ip = excluded.ip, num_observations = num_observations + 1`,
      peerId,
      ip,
    ),
  );
}

function peer(peerId: string): Promise<Record<string, unknown> | undefined> {
  return tracker.reader.get(
    `SELECT hostname, city, region, country, latitude, longitude, postal_code, asn, asn_organization, asn_type
       FROM validator_tracker WHERE peer_id = ?`,
    peerId,
  );
}

const BERLIN: Location = {
  place: { city: 'Berlin', region: 'Berlin', country: 'DE', latitude: 52.52, longitude: 13.4, postalCode: '10115' },
  network: { asn: 3320, organization: 'Deutsche Telekom AG', type: 'isp' },
  hostname: 'p5.example',
};
const BERLIN_COLUMNS = {
  hostname: 'p5.example',
  city: 'Berlin',
  region: 'Berlin',
  country: 'DE',
  latitude: 52.52,
  longitude: 13.4,
  postal_code: '10115',
  asn: 'AS3320',
  asn_organization: 'Deutsche Telekom AG',
  asn_type: 'isp',
};
const NOTHING = Object.fromEntries(Object.keys(BERLIN_COLUMNS).map((column) => [column, null]));

function located(ip: string, fields: Partial<LocatedIp> = {}): LocatedIp {
  return { ip, location: BERLIN, sources: ['a', 'b'], provisional: [], version: 'v1', maxAgeMs: null, ...fields };
}

describe('peers and the locations of their addresses', () => {
  it('come together whichever is first', async () => {
    await writePeer('early', '1.1.1.1');
    expect(await peer('early')).toEqual(NOTHING);
    await store.save([located('1.1.1.1')], 5);
    await writePeer('late', '1.1.1.1');
    expect(await peer('early')).toEqual(BERLIN_COLUMNS);
    expect(await peer('late')).toEqual(BERLIN_COLUMNS);
  });

  it('part when the peer moves', async () => {
    await writePeer('mover', '1.1.1.1');
    await store.save(
      [located('1.1.1.1'), located('2.2.2.2', { location: { ...NOWHERE, hostname: 'two.example' } })],
      5,
    );
    await writePeer('mover', '2.2.2.2');
    expect(await peer('mover')).toEqual({ ...NOTHING, hostname: 'two.example' });
    await writePeer('mover', '3.3.3.3');
    expect(await peer('mover')).toEqual(NOTHING);
    await writePeer('mover', '1.1.1.1');
    expect(await peer('mover')).toEqual(BERLIN_COLUMNS);
    await writePeer('mover', null);
    expect(await peer('mover')).toEqual(NOTHING);
  });

  it('change together', async () => {
    for (const id of ['one', 'two']) await writePeer(id, '1.1.1.1');
    await writePeer('elsewhere', '9.9.9.9');
    await store.save([located('1.1.1.1')], 5);
    await store.save([located('1.1.1.1', { location: NOWHERE, version: 'v2' })], 6);
    expect([await peer('one'), await peer('two'), await peer('elsewhere')]).toEqual([NOTHING, NOTHING, NOTHING]);
  });

  it('survive a restart', async () => {
    await writePeer('peer', '1.1.1.1');
    await store.save([located('1.1.1.1')], 5);
    await tracker.close();
    tracker = await openTracker(folder.path);
    store = sqliteLocationStore(tracker);
    expect(await store.due(['v1'], 6, 10)).toEqual([]);
    expect(await peer('peer')).toEqual(BERLIN_COLUMNS);
  });
});

describe('addresses that are due', () => {
  it('are those without a location that holds, the ones without any first, each once', async () => {
    for (const ip of ['4.4.4.4', '3.3.3.3', '2.2.2.2', '1.1.1.1', '1.1.1.1'])
      await writePeer(`at ${ip} ${Math.random()}`, ip);
    await writePeer('nowhere', null);
    expect(await store.due(['v1'], 0, 10)).toEqual(['1.1.1.1', '2.2.2.2', '3.3.3.3', '4.4.4.4']);
    await store.save([located('3.3.3.3', { version: 'v0' })], 7);
    await store.save([located('2.2.2.2', { maxAgeMs: 10 })], 8);
    await store.save([located('1.1.1.1', { location: NOWHERE })], 9);
    expect(await store.due(['v1'], 17, 10)).toEqual(['4.4.4.4', '3.3.3.3']);
    expect(await store.due(['v1', 'v0'], 18, 10)).toEqual(['4.4.4.4', '2.2.2.2']);
    expect(await store.due(['v1'], 18, 2)).toEqual(['4.4.4.4', '3.3.3.3']);
    expect(await store.due([], 0, 10)).toHaveLength(4);
  });
});

describe('what could not be asked', () => {
  it('leaves what was known, part by part', async () => {
    await writePeer('peer', '1.1.1.1');
    await store.save([located('1.1.1.1')], 5);
    const worse: Location = {
      place: { city: null, region: null, country: 'FR', latitude: null, longitude: null, postalCode: null },
      network: { asn: 16276, organization: 'OVH SAS', type: 'hosting' },
      hostname: null,
    };
    await store.save([located('1.1.1.1', { location: worse, provisional: ['place', 'hostname'], maxAgeMs: 10 })], 20);
    expect(await peer('peer')).toEqual({
      ...BERLIN_COLUMNS,
      asn: 'AS16276',
      asn_organization: 'OVH SAS',
      asn_type: 'hosting',
    });
    expect(await store.due(['v1'], 29, 10)).toEqual([]);
    expect(await store.due(['v1'], 30, 10)).toEqual(['1.1.1.1']);
  });

  it('is better than nothing', async () => {
    await writePeer('peer', '1.1.1.1');
    await store.save([located('1.1.1.1', { location: NOWHERE, provisional: ['place', 'network'] })], 5);
    await store.save([located('1.1.1.1', { provisional: ['place', 'network'] })], 6);
    expect(await peer('peer')).toEqual(BERLIN_COLUMNS);
  });
});

describe('locations', () => {
  it('say what they came from', async () => {
    await store.save([located('1.1.1.1', { maxAgeMs: 10 })], 5);
    expect(await tracker.reader.get('SELECT sources, data_version, located_ms, expires_ms FROM locations')).toEqual({
      sources: 'a,b',
      data_version: 'v1',
      located_ms: 5,
      expires_ms: 15,
    });
  });

  it('of addresses that no peer has are forgotten', async () => {
    await writePeer('peer', '1.1.1.1');
    await store.save([located('1.1.1.1'), located('2.2.2.2')], 5);
    expect(await store.prune()).toBe(1);
    expect(await store.prune()).toBe(0);
    expect(await tracker.reader.all('SELECT ip FROM locations')).toEqual([{ ip: '1.1.1.1' }]);
  });

  it('are all saved or none', async () => {
    const broken = located('2.2.2.2', { version: null as never });
    await expect(store.save([located('1.1.1.1'), broken], 5)).rejects.toThrow('data_version');
    expect(await tracker.reader.all('SELECT ip FROM locations')).toEqual([]);
  });
});
