import { createReadStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { contentEventId } from '../../../src/consensus/event-id.ts';
import { METADATA_RECEIVED, PEER_DISCOVERED } from '../../../src/consensus/events.ts';
import { createLogger } from '../../../src/io/logging/logger.ts';
import { linesOf } from '../../../src/io/recording/lines.ts';
import {
  type BrokenRecord,
  type RecordedEvent,
  RecordingError,
  readRecording,
} from '../../../src/io/recording/read-recording.ts';
import { startConsumer } from '../../../src/programs/consumer/start-consumer.ts';
import { duckdb } from '../../support/duckdb.ts';
import { wireDiscovery, wireObservation } from '../../support/events.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { tempDir } from '../../support/temp-dir.ts';

const SAMPLE = fileURLToPath(new URL('../../fixtures/valtrack-sample-2024-05.csv', import.meta.url));
let folder: Awaited<ReturnType<typeof tempDir>>;

beforeAll(async () => {
  folder = await tempDir();
});
afterAll(() => folder.remove());

async function read(path: string, stdin?: AsyncIterable<Uint8Array>) {
  const broken: BrokenRecord[] = [];
  const events: RecordedEvent[] = [];
  const options = { onBroken: (record: BrokenRecord) => broken.push(record), ...(stdin && { stdin }) };
  for await (const event of readRecording(path, options)) events.push(event);
  return { events, broken };
}

async function file(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(folder.path, name);
  await writeFile(path, content);
  return path;
}

function json({ payload }: RecordedEvent): Record<string, unknown> {
  return JSON.parse(new TextDecoder().decode(payload)) as Record<string, unknown>;
}

describe('a CSV recording', () => {
  it('gives the rows of the published sample as another reader sees them', async () => {
    const { events, broken } = await read(SAMPLE);
    const rows = await duckdb(`FROM read_csv('${SAMPLE}', header = true, all_varchar = true)`);
    expect(broken).toEqual([]);
    expect(events).toHaveLength(rows.length);
    for (const [index, row] of rows.entries()) {
      expect(events[index]?.subject).toBe(METADATA_RECEIVED);
      expect(json(events[index] as RecordedEvent)).toEqual({
        enr: row['enr'],
        id: row['id'],
        multiaddr: row['multiaddr'],
        epoch: Number(row['epoch']),
        metadata: JSON.parse(String(row['metadata'])),
        subscribed_subnets: JSON.parse(String(row['subscribed_subnets'])),
        client_version: row['client_version'],
        crawler_id: row['crawler_id'],
        crawler_location: row['crawler_location'],
        timestamp: Number(row['timestamp']),
      });
    }
  });

  it('reports broken lines by number and reads on', async () => {
    const path = await file(
      'broken.csv',
      [
        'enr,id,ip,port,crawler_id,crawler_location,timestamp',
        'enr:-a,peer-a,1.1.1.1,9000,c,"Bern, ""CH""",1716910737176',
        'enr:-b,peer-b,1.1.1.1,9000',
        'enr:-c,peer-c,1.1.1.1,"9000,c,l,1716910737176',
        '',
        'enr:-d,peer-d,1.1.1.1,many,c,l,1716910737176',
        'enr:-e,peer-e,1.1.1.1,9000,c,l,1716910737176\r',
      ].join('\n'),
    );
    const { events, broken } = await read(path);
    expect(events.map((event) => [event.subject, json(event)['id']])).toEqual([
      [PEER_DISCOVERED, 'peer-a'],
      [PEER_DISCOVERED, 'peer-e'],
    ]);
    expect(json(events[0] as RecordedEvent)['crawler_location']).toBe('Bern, "CH"');
    expect(broken).toEqual([
      { line: 3, reason: '4 fields where the header has 7' },
      { line: 4, reason: 'quotes that do not match' },
      { line: 6, reason: expect.stringContaining('port') },
    ]);
  });
});

it('knows CSV on standard input by its header', async () => {
  const fromFile = await read(SAMPLE);
  const fromInput = await read('-', createReadStream(SAMPLE, { highWaterMark: 1_000 }));
  expect(fromFile.events).toHaveLength(100);
  expect(fromInput).toEqual(fromFile);
});

it('refuses CSV of something else rather than to find no event in it', async () => {
  const path = await file('peers.csv', 'peer_id,last_seen\npeer-a,1716910737176\n');
  await expect(read(path)).rejects.toThrow('names no id and no timestamp');
  expect(await read(await file('empty.csv', ''))).toEqual({ events: [], broken: [] });
  expect(await read('-', Readable.from([]))).toEqual({ events: [], broken: [] });
});

describe('a recording of JSON lines', () => {
  const lines = [
    JSON.stringify(wireObservation()),
    `  ${JSON.stringify(wireDiscovery())}\r`,
    '{"cut": ',
    '42',
    JSON.stringify({ hello: 'world' }),
    `{"id":"${'x'.repeat(70_000)}"}`,
    JSON.stringify(wireObservation({ subscribed_subnets: null, metadata: null, enr: 'enr:' })),
  ];

  it.each(['events.ndjson', 'metadata_events.log', '-'])(
    '%s: keeps the bytes and reports what is broken',
    async (name) => {
      const text = `${lines.join('\n')}\n`;
      const { events, broken } =
        name === '-' ? await read('-', Readable.from([Buffer.from(text)])) : await read(await file(name, text));
      expect(events.map((event) => event.subject)).toEqual([METADATA_RECEIVED, PEER_DISCOVERED, METADATA_RECEIVED]);
      expect(new TextDecoder().decode(events[0]?.payload)).toBe(lines[0]);
      expect(broken.map(({ line }) => line)).toEqual([3, 4, 5, 6]);
    },
  );

  it('splits at line breaks wherever the chunks end', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ unit: 'grapheme', maxLength: 20 }).map((text) => text.replaceAll(/[\r\n\ufeff]/g, '.'))),
        fc.integer({ min: 1, max: 7 }),
        async (texts, chunkSize) => {
          const bytes = Buffer.from(texts.map((text) => `${text}\n`).join(''));
          const chunks = Array.from({ length: Math.ceil(bytes.length / chunkSize) }, (_, index) =>
            bytes.subarray(index * chunkSize, (index + 1) * chunkSize),
          );
          const found: unknown[] = [];
          for await (const line of linesOf(Readable.from(chunks), 1_000)) found.push(line);
          expect(found).toEqual(texts.map((text, index) => ({ line: index + 1, text })));
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('a Parquet recording', () => {
  it('gives back the events that the consumer wrote, with their ids', async () => {
    const logger = createLogger({ level: 'silent', format: 'json', write: () => {} });
    const log = memoryLog();
    const dataDir = join(folder.path, 'data');
    const consumer = await startConsumer({ log, dataDir, durable: 'test', logger });
    const observed = wireObservation({ event_id: 'run:0', slot: 9, custody_group_count: null, transport: 'quic' });
    const silent = wireObservation({ event_id: 'run:1', subscribed_subnets: [], metadata: null });
    const discovered = wireDiscovery();
    const wires = [observed, silent, discovered];
    const entries = wires.map((wire) => {
      const subject = 'ip' in wire ? PEER_DISCOVERED : METADATA_RECEIVED;
      const payload = new TextEncoder().encode(JSON.stringify(wire));
      return { subject, payload, eventId: contentEventId(subject, payload) };
    });
    await log.append(entries);
    await consumer.reached(({ applied }) => applied === 3);
    await consumer.close();

    const date = 'date=2024-05-28';
    const from = async (table: string, range: string) =>
      (await read(join(dataDir, 'parquet', table, date, `${range}.parquet`))).events.map(json);
    const hexMetadata = { seq_number: 82, attnets: '0018000000000000', syncnets: '00' };
    const { custody_group_count: _none, ...stated } = observed;
    expect(await from('metadata_events', '000000000000001-000000000000003')).toEqual([
      { ...stated, metadata: hexMetadata },
      (({ metadata: _absent, ...rest }) => ({ ...rest, missing: ['metadata'] }))(silent),
    ]);
    expect(await from('validator_metadata_events', '000000000000002-000000000000002')).toEqual([
      { ...stated, metadata: hexMetadata },
    ]);
    expect(await from('discovery_events', '000000000000004-000000000000004')).toEqual([
      { ...discovered, event_id: entries[2]?.eventId },
    ]);
  });

  it('says so when the file is no Parquet', async () => {
    await expect(read(await file('not.parquet', 'something else entirely'))).rejects.toThrow(/not\.parquet/);
    await expect(read(await file('empty.parquet', ''))).rejects.toThrow(/empty\.parquet is no Parquet file/);
  });
});

it('refuses other kinds of files by name', async () => {
  await expect(read('events.txt')).rejects.toThrow(RecordingError);
});
