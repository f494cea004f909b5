import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { MetadataReceivedEvent } from '../../../../src/consensus/events.ts';
import { observe, type PeerView } from '../../../../src/consensus/peer-view.ts';
import { parquetStaging } from '../../../../src/io/storage/parquet/staging.ts';
import type { SqliteDatabase } from '../../../../src/io/storage/sqlite/sqlite.ts';
import { openTracker, type TrackerDatabase } from '../../../../src/io/storage/tracker/database.ts';
import { MAX_DEAD_LETTERS, writeDeadLetters } from '../../../../src/io/storage/tracker/dead-letters.ts';
import { forgetAddresses, forgetDeadLetters, forgetEventIds } from '../../../../src/io/storage/tracker/forgetting.ts';
import { sqliteLocationStore } from '../../../../src/io/storage/tracker/locations.ts';
import { TRACKER_FILE } from '../../../../src/io/storage/tracker/schema.ts';
import { sqliteViewStore } from '../../../../src/io/storage/tracker/view-store.ts';
import type { DeadLetter, ViewStore } from '../../../../src/streams/ports/view-store.ts';
import { diskFaults, everyFault, NO_FAULT } from '../../../support/disk-faults.ts';
import { observation } from '../../../support/events.ts';
import { tempDir } from '../../../support/temp-dir.ts';

let folder: Awaited<ReturnType<typeof tempDir>>;
let tracker: TrackerDatabase;
let store: ViewStore;

beforeEach(async () => {
  folder = await tempDir();
  tracker = await openTracker(folder.path);
  const staging = parquetStaging(tracker.writer, tracker.reader);
  const flusher = { room: async () => {}, staged: () => {} };
  store = await sqliteViewStore({ database: tracker.writer, staging, flusher });
});
afterEach(async () => {
  await tracker.close();
  await folder.remove();
});

/** Applies an observation as the reducer does, at a time of ours. */
async function apply(fields: Partial<MetadataReceivedEvent>, committedMs: number): Promise<void> {
  const event = observation(fields);
  const views = new Map<string, PeerView>(await store.views([event.id]));
  await store.commit({
    log: 'log',
    position: 1,
    committedMs,
    eventIds: [event.event_id as string],
    events: [{ subject: 'events.metadata_received', event }],
    views: [observe(views.get(event.id), event, null)],
    endedDays: [],
    lateDays: [],
    deadLetters: [],
  });
}

async function locate(ip: string): Promise<void> {
  await sqliteLocationStore(tracker).save(
    [
      {
        ip,
        location: {
          place: {
            city: 'Bern',
            region: 'BE',
            country: 'CH',
            latitude: 46.94809,
            longitude: 7.44744,
            postalCode: '3011',
          },
          network: { asn: 7, organization: 'Net', type: 'isp' },
          hostname: 'n1.example',
        },
        sources: ['test'],
        provisional: [],
        version: 'v',
        maxAgeMs: null,
      } as unknown as Parameters<ReturnType<typeof sqliteLocationStore>['save']>[0][number],
    ],
    1,
  );
}

const peer = (id: string) =>
  tracker.reader.get<Record<string, unknown>>('SELECT * FROM validator_tracker WHERE peer_id = ?', id);
const GONE = { enr: null, multiaddr: null, ip: null, port: null, hostname: null, postal_code: null };

describe('forgetting addresses', () => {
  it('takes what tells where a peer is, coordinates to one decimal, and leaves the rest', async () => {
    await apply({ id: 'old', event_id: 'run:0', multiaddr: '/ip4/1.1.1.1/tcp/9' }, 1_000);
    await locate('1.1.1.1');
    const before = await peer('old');
    expect(before).toMatchObject({ enr: 'enr:-x', ip: '1.1.1.1', port: 9, hostname: 'n1.example', latitude: 46.94809 });
    expect(await forgetAddresses(tracker.writer, 1_001, 10)).toBe(1);
    expect(await peer('old')).toEqual({ ...before, ...GONE, latitude: 46.9, longitude: 7.4 });
    expect(await tracker.reader.all('SELECT * FROM locations')).toEqual([]);
    expect(await forgetAddresses(tracker.writer, 1_001, 10)).toBe(0);
  });

  it('leaves nothing of them in the file', async () => {
    const enr = 'enr:-a-record-that-nothing-else-looks-like';
    await apply({ id: 'old', event_id: 'run:0', enr, multiaddr: '/ip4/203.0.113.77/tcp/9' }, 1_000);
    await tracker.writer.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    const holds = async (text: string) => (await readFile(join(folder.path, TRACKER_FILE))).includes(text);
    expect(await holds(enr)).toBe(true);
    // Its rows go their way to Parquet, as they do within minutes.
    await tracker.writer.exec('DELETE FROM parquet_staging');
    await forgetAddresses(tracker.writer, 2_000, 10);
    await tracker.writer.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    expect([await holds(enr), await holds('203.0.113.77')]).toEqual([false, false]);
  });

  it('goes by when something was last stored of a peer, not by when it was seen', async () => {
    await apply({ id: 'replayed', event_id: 'run:0', timestamp: 5 }, 2_000);
    await apply({ id: 'back', event_id: 'run:1', timestamp: 5 }, 1_000);
    await apply({ id: 'back', event_id: 'run:2', timestamp: 9 }, 2_000);
    expect(await forgetAddresses(tracker.writer, 2_000, 10)).toBe(0);
    expect(await forgetAddresses(tracker.writer, 2_001, 10)).toBe(2);
  });

  it('does no more at a time than it is told', async () => {
    for (let index = 0; index < 5; index++) await apply({ id: `p${index}`, event_id: `run:${index}` }, 1_000);
    const steps = [];
    do steps.push(await forgetAddresses(tracker.writer, 2_000, 2));
    while (steps.at(-1) === 2);
    expect(steps).toEqual([2, 2, 1]);
  });

  it('keeps the location that another peer shares', async () => {
    await apply({ id: 'old', event_id: 'run:0' }, 1_000);
    await apply({ id: 'new', event_id: 'run:1' }, 5_000);
    await locate('1.2.3.4');
    await forgetAddresses(tracker.writer, 2_000, 10);
    expect(await peer('new')).toMatchObject({ ip: '1.2.3.4', city: 'Bern', latitude: 46.94809 });
    expect(await tracker.reader.all('SELECT ip FROM locations')).toEqual([{ ip: '1.2.3.4' }]);
  });

  it('counts a peer that comes back once more, and knows its address again', async () => {
    await apply({ id: 'p', event_id: 'run:0', timestamp: 10 }, 1_000);
    await forgetAddresses(tracker.writer, 2_000, 10);
    await apply({ id: 'p', event_id: 'run:1', timestamp: 20, enr: '', multiaddr: '' }, 3_000);
    expect(await peer('p')).toMatchObject({ ...GONE, num_observations: 2 });
    await apply({ id: 'p', event_id: 'run:2', timestamp: 30, multiaddr: '/ip4/2.2.2.2/tcp/7' }, 4_000);
    expect(await peer('p')).toMatchObject({ ip: '2.2.2.2', port: 7, enr: 'enr:-x', num_observations: 3 });
    expect(await forgetAddresses(tracker.writer, 5_000, 10)).toBe(1);
  });

  it('is whole or has not happened, wherever it is interrupted', async () => {
    const makePeers = async () => {
      await apply({ id: 'p', event_id: `run:${++eventCount}` }, 1_000);
      await locate('1.2.3.4');
    };
    let eventCount = 0;
    await makePeers();
    const rehearsal = diskFaults(NO_FAULT);
    await forgetAddresses(rehearsal.database(tracker.writer), 2_000, 10);
    expect(rehearsal.calls).toBe(5);
    for (const plan of everyFault(rehearsal.calls, ['once'])) {
      await makePeers();
      const whole = { ...(await peer('p')) };
      const faulty: SqliteDatabase = diskFaults(plan).database(tracker.writer);
      await expect(forgetAddresses(faulty, 2_000, 10), JSON.stringify(plan)).rejects.toThrow('injected fault');
      const now = await peer('p');
      const changed = now?.['ip'] === null ? { ...GONE, latitude: 46.9, longitude: 7.4 } : {};
      expect(now, JSON.stringify(plan)).toEqual({ ...whole, ...changed });
      expect((await store.views(['p'])).get('p')?.facts.enr === null).toBe(now?.['enr'] === null);
      await forgetAddresses(tracker.writer, 2_000, 10);
      expect(await peer('p')).toMatchObject({ ...GONE, city: 'Bern', num_observations: whole['num_observations'] });
    }
  });
});

describe('forgetting events', () => {
  it('removes old ids of events that are not numbered, some at a time, and no others', async () => {
    await apply({ event_id: 'sha256-old' }, 1_000);
    await apply({ event_id: 'sha256-older' }, 900);
    await apply({ event_id: 'sha256-new' }, 2_000);
    await apply({ event_id: 'run:0' }, 900);
    expect(await forgetEventIds(tracker.writer, 1_500, 1)).toBe(1);
    expect(await forgetEventIds(tracker.writer, 1_500, 10)).toBe(1);
    expect(await forgetEventIds(tracker.writer, 1_500, 10)).toBe(0);
    const applied = await store.applied(['sha256-old', 'sha256-older', 'sha256-new', 'run:0']);
    expect([...applied].sort()).toEqual(['run:0', 'sha256-new']);
  });

  const letters = (from: number, count: number): DeadLetter[] =>
    Array.from({ length: count }, (_, index) => ({
      key: `dead-${from + index}`,
      position: from + index,
      eventId: 'x\0'.repeat(1_000),
      subject: 's',
      refusal: 'not JSON',
      reason: 'not JSON',
      payload: new Uint8Array(10_000),
    }));
  const write = (from: number, count: number, receivedMs: number, max?: number) =>
    tracker.writer.transaction(() => writeDeadLetters(tracker.writer, 'log', letters(from, count), receivedMs, max));
  const positions = async () =>
    (await tracker.reader.all<{ position: number }>('SELECT position FROM dead_letters ORDER BY id')).map(
      ({ position }) => position,
    );

  it('removes old dead letters, some at a time', async () => {
    await write(0, 3, 1_000);
    await write(3, 2, 2_000);
    expect(await forgetDeadLetters(tracker.writer, 1_500, 2)).toBe(2);
    expect(await forgetDeadLetters(tracker.writer, 1_500, 2)).toBe(1);
    expect(await forgetDeadLetters(tracker.writer, 1_500, 2)).toBe(0);
    expect(await positions()).toEqual([3, 4]);
  });

  it('keeps the newest dead letters, says how many went, and has a bound in bytes', async () => {
    expect(await write(0, 3, 1_000, 4)).toBe(0);
    expect(await write(3, 3, 1_000, 4)).toBe(2);
    expect(await positions()).toEqual([2, 3, 4, 5]);
    const { bytes } = (await tracker.reader.get<{ bytes: number }>(
      'SELECT max(length(payload) + length(CAST(event_id AS BLOB)) + length(reason)) AS bytes FROM dead_letters',
    )) as { bytes: number };
    expect(bytes * MAX_DEAD_LETTERS).toBeLessThan(350e6);
  });
});
