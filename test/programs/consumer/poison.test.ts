import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { contentEventId } from '../../../src/consensus/event-id.ts';
import { MAX_EVENT_BYTES, METADATA_RECEIVED, PEER_DISCOVERED } from '../../../src/consensus/events.ts';
import { createLogger } from '../../../src/io/logging/logger.ts';
import { startConsumer } from '../../../src/programs/consumer/start-consumer.ts';
import type { LogEntry } from '../../../src/streams/ports/event-log.ts';
import { duckdb } from '../../support/duckdb.ts';
import { entry, wireObservation } from '../../support/events.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { tempDir } from '../../support/temp-dir.ts';

const logger = createLogger({ level: 'silent', format: 'json', write: () => {} });
let folder: Awaited<ReturnType<typeof tempDir>>;

beforeEach(async () => {
  folder = await tempDir();
});
afterEach(() => folder.remove());

const HOSTILE = 10_000;
const bytes = (text: string) => new TextEncoder().encode(text);
const json = (value: unknown) => bytes(JSON.stringify(value));

/** Each kind with a number in it, so that the same kind differs from event to event, or does not. */
const KINDS: readonly { subject?: string; payload: (index: number) => Uint8Array; reason: RegExp }[] = [
  { payload: () => bytes(''), reason: /not JSON/ },
  { payload: (index) => bytes(`{"id": ${index}`), reason: /not JSON/ },
  {
    payload: (index) => json(wireObservation({ id: `p${index}` })).subarray(0, 40 + (index % 200)),
    reason: /not JSON/,
  },
  { payload: () => Uint8Array.of(0xff, 0xfe, 0x7b, 0x7d), reason: /not JSON/ },
  { payload: () => new Uint8Array(MAX_EVENT_BYTES + 1), reason: /more than 65536/ },
  { payload: () => bytes('['.repeat(60_000)), reason: /not JSON/ },
  { payload: () => json(null), reason: /event/ },
  { payload: (index) => json([index]), reason: /event/ },
  { payload: (index) => json(wireObservation({ id: index })), reason: /id/ },
  { payload: () => json(wireObservation({ epoch: 'soon' })), reason: /epoch/ },
  { payload: () => json(wireObservation({ epoch: 1e300 })), reason: /epoch/ },
  { payload: () => json(wireObservation({ timestamp: -1 })), reason: /timestamp/ },
  {
    payload: () => json(wireObservation({ metadata: { seq_number: 1, attnets: 'AA==', syncnets: '' } })),
    reason: /attnets/,
  },
  { payload: () => json(wireObservation({ subscribed_subnets: { length: 3 } })), reason: /subscribed_subnets/ },
  { payload: () => json(wireObservation({ client_version: 7 })), reason: /client_version/ },
  { payload: () => bytes('{"__proto__": {"id": "p"}}'), reason: /id|timestamp|epoch/ },
  { subject: PEER_DISCOVERED, payload: () => json({ id: 'p', enr: '', ip: '', port: 70_000 }), reason: /port/ },
  { subject: 'events.\n"; DROP TABLE dead_letters; --', payload: () => json({}), reason: /unknown subject/ },
];

describe('hostile events between good ones', () => {
  it('keep none of the good from being applied, and are each put aside once, with the reason', async () => {
    const log = memoryLog();
    const reasons: RegExp[] = [];
    const entries: LogEntry[] = [];
    for (let index = 0; index < HOSTILE; index++) {
      const kind = KINDS[index % KINDS.length] as (typeof KINDS)[number];
      const payload = kind.payload(index);
      const subject = kind.subject ?? METADATA_RECEIVED;
      // Without an id of its own, with one, and with that of a good event that comes right behind it.
      const eventId = [contentEventId(subject, payload), `hostile-${index}`, `run:${index / 5}`][
        index % 5 === 0 ? 2 : index % 2
      ];
      entries.push({ subject, payload, eventId: eventId as string });
      reasons.push(kind.reason);
      if (index % 5 === 0) {
        const event_id = `run:${index / 5}`;
        entries.push(entry(event_id, wireObservation({ event_id, id: `peer-${index % 50}`, timestamp: 1e12 + index })));
      }
    }
    const good = HOSTILE / 5;
    await log.append(entries);
    const run = async (expected: object) => {
      const consumer = await startConsumer({ log, dataDir: folder.path, durable: 'consumer', logger, batchMs: 1 });
      await consumer.reached(({ deliveries }) => deliveries === HOSTILE + good);
      expect(consumer.counts()).toMatchObject(expected);
      const letters = await consumer.database.reader.all<{ event_id: string; reason: string; payload_bytes: number }>(
        'SELECT event_id, reason, payload_bytes FROM dead_letters ORDER BY id',
      );
      const views = await consumer.database.reader.get<{ n: number }>(
        'SELECT sum(num_observations) AS n FROM validator_tracker',
      );
      await consumer.close();
      expect(log.unacknowledged).toBe(0);
      return { letters, observations: views?.n };
    };

    const first = await run({ applied: good, malformed: HOSTILE, duplicates: 0, deadLettersDropped: 0 });
    expect(first.letters).toHaveLength(HOSTILE);
    for (const [index, { reason }] of first.letters.entries()) expect(reason).toMatch(reasons[index] as RegExp);
    expect(first.observations).toBe(good);
    const [stored] = await duckdb(
      `SELECT count(*)::INT AS n, count(DISTINCT event_id)::INT AS d
         FROM '${folder.path}/parquet/metadata_events/*/*.parquet'`,
    );
    expect(stored).toEqual({ n: good, d: good });

    // All of it is delivered again: nothing changes.
    log.rewind();
    expect(await run({ applied: 0, malformed: 0, duplicates: HOSTILE + good })).toEqual(first);
  });
});
