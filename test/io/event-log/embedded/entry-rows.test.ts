import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  entriesOf,
  idsOf,
  insert,
  lastOf,
  lastPosition,
  pack,
  removeUpTo,
  sizeOf,
} from '../../../../src/io/event-log/embedded/entry-rows.ts';
import { openSentryDatabase } from '../../../../src/io/storage/sentry/sentry-database.ts';
import type { SqliteDatabase } from '../../../../src/io/storage/sqlite/sqlite.ts';
import type { LogEntry } from '../../../../src/streams/ports/event-log.ts';
import { tempDir } from '../../../support/temp-dir.ts';

const subject = 'events.peer_discovered';
const END = Number.MAX_SAFE_INTEGER;

let dir: Awaited<ReturnType<typeof tempDir>>;
let database: SqliteDatabase;

beforeEach(async () => {
  dir = await tempDir();
  database = await openSentryDatabase(dir.path);
});

afterEach(async () => {
  await database.close();
  await dir.remove();
});

const entry = (eventId: string, ...bytes: number[]): LogEntry => ({
  subject,
  eventId,
  payload: Uint8Array.from(bytes),
});
const add = (...entries: LogEntry[]) => database.transaction(() => insert(database, pack(entries), 7));

describe('packed entries', () => {
  it('name their slices of all payloads, counted from 1', () => {
    const { rows, payloads } = pack([entry('a', 1, 2), entry('b'), entry('c', 3)]);
    expect(JSON.parse(rows)).toEqual([
      ['a', subject, 1, 2],
      ['b', subject, 3, 0],
      ['c', subject, 3, 1],
    ]);
    expect([...payloads]).toEqual([1, 2, 3]);
  });

  it('are the same again when they are read, empty ones and zeros, too', async () => {
    const list = [entry('a', 0, 255), entry('b'), entry('c', 0)];
    await add(...list);
    expect(await entriesOf(database, 0, END, 9)).toEqual(list.map((one, index) => ({ ...one, position: index + 1 })));
  });
});

describe('a range of entries', () => {
  beforeEach(() => add(entry('a', 1), entry('b', 1, 2), entry('c', 1, 2, 3), entry('d')));

  it('begins behind its first position and ends with its last', async () => {
    expect(await idsOf(database, 1, 3, 9)).toEqual([
      { position: 2, eventId: 'b' },
      { position: 3, eventId: 'c' },
    ]);
    expect(await idsOf(database, 1, 3, 1)).toEqual([{ position: 2, eventId: 'b' }]);
    expect(await sizeOf(database, 1, 3)).toEqual({ entries: 2, bytes: 5, last: 3 });
    expect(await lastOf(database, 1, END, 2)).toBe(3);
  });

  it('may have nothing in it', async () => {
    expect(await sizeOf(database, 4, END)).toEqual({ entries: 0, bytes: 0, last: 4 });
    expect(await lastOf(database, 4, END, 2)).toBe(4);
  });
});

it('takes an id once, and gives no position again, not even that of a row that was removed', async () => {
  expect(await lastPosition(database)).toBe(0);
  await add(entry('a'), entry('b'));
  await database.transaction(() => removeUpTo(database, 2));
  await add(entry('c'), entry('c'));
  const [only, ...others] = await idsOf(database, 0, END, 9);
  expect(only).toMatchObject({ eventId: 'c' });
  expect(only?.position).toBeGreaterThan(2);
  expect(others).toEqual([]);
  expect(await lastPosition(database)).toBeGreaterThanOrEqual(only?.position ?? 0);
});
