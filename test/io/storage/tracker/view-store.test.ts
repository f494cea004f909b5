import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { METADATA_RECEIVED, type MetadataReceivedEvent } from '../../../../src/consensus/events.ts';
import { observe, type PeerView } from '../../../../src/consensus/peer-view.ts';
import { parquetStaging } from '../../../../src/io/storage/parquet/staging.ts';
import type { SqliteDatabase } from '../../../../src/io/storage/sqlite/sqlite.ts';
import { openTracker, type TrackerDatabase } from '../../../../src/io/storage/tracker/database.ts';
import { sqliteViewStore } from '../../../../src/io/storage/tracker/view-store.ts';
import type { BatchChange, DeadLetter, ViewStore } from '../../../../src/streams/ports/view-store.ts';
import { observation } from '../../../support/events.ts';
import { tempDir } from '../../../support/temp-dir.ts';

let folder: Awaited<ReturnType<typeof tempDir>>;
let tracker: TrackerDatabase;
let store: ViewStore;

beforeEach(async () => {
  folder = await tempDir();
  await open();
});
afterEach(async () => {
  await tracker.close();
  await folder.remove();
});

async function open(): Promise<void> {
  tracker = await openTracker(folder.path);
  store = await storeOn(tracker.writer);
}

function storeOn(database: SqliteDatabase): Promise<ViewStore> {
  const staging = parquetStaging(database, tracker.reader);
  return sqliteViewStore({ database, staging, flusher: { room: async () => {}, staged: () => {} } });
}

async function reopen(): Promise<void> {
  await tracker.close();
  await open();
}

function change(events: readonly MetadataReceivedEvent[], views: readonly PeerView[] = []): BatchChange {
  return {
    log: 'log',
    position: 7,
    committedMs: 5,
    eventIds: events.map((event) => event.event_id as string),
    events: events.map((event) => ({ subject: METADATA_RECEIVED, event })),
    views,
    endedDays: [],
    lateDays: [],
    deadLetters: [],
  };
}

/** Applies events as the reducer does. */
async function apply(events: readonly MetadataReceivedEvent[]): Promise<void> {
  const applied = await store.applied(events.map((event) => event.event_id as string));
  const fresh = events.filter((event) => !applied.has(event.event_id as string));
  const views = new Map(await store.views(fresh.map((event) => event.id)));
  for (const event of fresh) views.set(event.id, observe(views.get(event.id), event, null));
  await store.commit(change(fresh, [...views.values()]));
}

function numbered(producer: string, numbers: readonly number[]): MetadataReceivedEvent[] {
  return numbers.map((number) => observation({ event_id: `${producer}:${number}` }));
}

async function dump(): Promise<unknown> {
  const tables = [
    'validator_tracker',
    'fact_stamps',
    'applied_ranges',
    'applied_events',
    'dead_letters',
    'parquet_staging',
  ];
  return Promise.all(tables.map((table) => tracker.reader.all(`SELECT * FROM ${table}`)));
}

const anyEvent = fc
  .record({
    id: fc.constantFrom('peer-a', 'peer-b', 'péer-🦋'),
    enr: fc.constantFrom('', 'enr:-a'),
    multiaddr: fc.constantFrom('', '/ip4/1.1.1.1/tcp/1', '/ip6/::1/udp/2/quic-v1'),
    epoch: fc.maxSafeInteger(),
    client_version: fc.string(),
    timestamp: fc.nat(),
    subscribed_subnets: fc.array(fc.integer({ min: 0, max: 63 })),
    metadata: fc.option(
      fc.record({
        seq_number: fc.nat(),
        attnets: fc.uint8Array({ minLength: 8, maxLength: 8 }),
        syncnets: fc.uint8Array({ minLength: 1, maxLength: 1 }),
      }),
    ),
    custody_group_count: fc.option(fc.nat()),
    fork_digest: fc.option(fc.constant('8c9f62fe')),
    direction: fc.option(fc.constantFrom('inbound' as const, 'outbound' as const)),
    transport: fc.option(fc.constantFrom('tcp' as const, 'quic' as const)),
  })
  // The schema of the events replaces NUL before they come here.
  .map((fields) => observation({ ...fields, client_version: fields.client_version.replaceAll('\0', '') }));

describe('the view in SQLite', () => {
  it('gives back the views it was given', async () => {
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(anyEvent, { minLength: 1, maxLength: 8 }), async (events) => {
        run++;
        const views = new Map<string, PeerView>();
        for (const [index, fields] of events.entries()) {
          const event = { ...fields, id: `${fields.id}-${run}`, event_id: `run${run}:${index}` };
          views.set(event.id, observe(views.get(event.id), event, null));
        }
        await store.commit(change([], [...views.values()]));
        expect(await store.views([...views.keys(), 'nobody'])).toEqual(views);
      }),
      { numRuns: 40 },
    );
  });

  it('knows after a restart what has been applied: replaying everything changes nothing', async () => {
    const foreign = ['sha256-x', 'another id', 'run:007'].map((event_id) => observation({ event_id }));
    const events = [...numbered('run', [0, 1, 2, 5]), ...numbered('other', [9]), ...foreign];
    await apply(events);
    const before = await dump();
    await apply(events);
    await reopen();
    await apply(events.toReversed());
    expect(await dump()).toEqual(before);
    expect(await tracker.reader.get('SELECT num_observations AS n FROM validator_tracker')).toEqual({ n: 8 });
  });

  it('keeps one row for a producer without gaps, and closes gaps as they fill', async () => {
    await apply(numbered('run', [0, 1, 2, 6, 7, 4]));
    await apply(numbered('run', [9]));
    await reopen();
    const ranges = () => tracker.reader.all('SELECT first, last FROM applied_ranges ORDER BY first');
    expect(await ranges()).toEqual([
      { first: 0, last: 2 },
      { first: 4, last: 4 },
      { first: 6, last: 7 },
      { first: 9, last: 9 },
    ]);
    await apply(numbered('run', [8, 3, 5]));
    expect(await ranges()).toEqual([{ first: 0, last: 9 }]);
  });

  it('changes nothing at all when the commit fails', async () => {
    await apply(numbered('run', [0]));
    const before = await dump();
    const [event] = numbered('run', [1]);
    const broken = { ...change([event as MetadataReceivedEvent]), log: null as unknown as string };
    await expect(store.commit(broken)).rejects.toThrow(/NOT NULL/);
    expect(await dump()).toEqual(before);
    expect(await store.applied(['run:0', 'run:1'])).toEqual(new Set(['run:0']));
  });

  it('applies once what was committed although the commit was reported as failed', async () => {
    let isLying = true;
    const lying: SqliteDatabase = {
      ...tracker.writer,
      transaction: async (work) => {
        const result = await tracker.writer.transaction(work);
        if (isLying) throw new Error('I/O error');
        return result;
      },
    };
    store = await storeOn(lying);
    const events = [...numbered('run', [0, 1]), observation({ event_id: 'foreign' })];
    await expect(apply(events)).rejects.toThrow('I/O error');
    isLying = false;
    const before = await dump();
    await apply(events);
    expect(await dump()).toEqual(before);
    expect(await tracker.reader.get('SELECT num_observations AS n FROM validator_tracker')).toEqual({ n: 3 });
  });

  it('remembers the highest position of each log', async () => {
    await store.commit({ ...change([]), log: 'a', position: 9 });
    await store.commit({ ...change([]), log: 'a', position: 3 });
    await store.commit({ ...change([]), log: 'b', position: 1 });
    expect(await tracker.reader.all('SELECT log, position FROM log_positions ORDER BY log')).toEqual([
      { log: 'a', position: 9 },
      { log: 'b', position: 1 },
    ]);
  });

  it('keeps dead letters with their reason, cut to a bounded size', async () => {
    const letter: DeadLetter = {
      key: 'dead-1',
      refusal: 'wrong fields',
      position: 3,
      eventId: 'bad',
      subject: 'events.metadata_received',
      reason: 'epoch: expected number',
      payload: new Uint8Array(60_000).fill(65),
    };
    await store.commit({ ...change([]), eventIds: ['dead-1'], deadLetters: [letter] });
    const rows = await tracker.reader.all<Record<string, unknown>>(
      'SELECT *, length(payload) AS kept_bytes FROM dead_letters',
    );
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({ position: 3, event_id: 'bad', reason: letter.reason, payload_bytes: 60_000 });
    expect(rows[0]?.['kept_bytes']).toBeLessThan(10_000);
    expect(await store.applied(['bad', 'dead-1'])).toEqual(new Set(['dead-1']));
  });

  it('forgets the place of an address that a peer has left, and no sooner', async () => {
    const at = (multiaddr: string, number: number) =>
      apply([observation({ event_id: `run:${number}`, multiaddr, timestamp: 1_000 + number })]);
    const place = () => tracker.reader.get('SELECT city, latitude, hostname FROM validator_tracker');
    await at('/ip4/1.1.1.1/tcp/9000', 0);
    await tracker.writer.run(`UPDATE validator_tracker SET city = 'Bern', latitude = 46.9, hostname = 'n1.example'`);
    await at('/ip4/1.1.1.1/tcp/9001', 1);
    await at('', 2);
    expect(await place()).toEqual({ city: 'Bern', latitude: 46.9, hostname: 'n1.example' });
    await at('/ip4/2.2.2.2/tcp/9000', 3);
    expect(await place()).toEqual({ city: null, latitude: null, hostname: null });
  });

  it('has the columns that other programs rely on', async () => {
    const columns = await tracker.reader.all<{ name: string; pk: number }>('PRAGMA table_info(validator_tracker)');
    expect(columns.find(({ pk }) => pk === 1)?.name).toBe('peer_id');
    expect(columns.map(({ name }) => name)).toEqual(
      expect.arrayContaining(
        `peer_id enr multiaddr ip port last_seen last_epoch client_version possible_validator max_validator_count
         num_observations hostname city region country latitude longitude postal_code asn asn_organization asn_type
         validators_estimate validators_low validators_high stake_eth_low stake_eth_high estimate_method estimate_flags`.split(
          /\s+/,
        ),
      ),
    );
  });
});
