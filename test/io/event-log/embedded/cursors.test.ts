import { afterEach, beforeEach, expect, it } from 'vitest';
import { type EmbeddedCursors, embeddedCursors } from '../../../../src/io/event-log/embedded/cursors.ts';
import { type EmbeddedEntries, embeddedEntries } from '../../../../src/io/event-log/embedded/entries.ts';
import { createLogger } from '../../../../src/io/logging/logger.ts';
import { openSentryDatabase } from '../../../../src/io/storage/sentry/sentry-database.ts';
import type { SqliteDatabase } from '../../../../src/io/storage/sqlite/sqlite.ts';
import { entries as entriesOf } from '../../../support/event-log/contract.ts';
import { tempDir } from '../../../support/temp-dir.ts';
import { type VirtualTime, virtualTime } from '../../../support/virtual-time.ts';

let dir: Awaited<ReturnType<typeof tempDir>>;
let database: SqliteDatabase;
let time: VirtualTime;
let entries: EmbeddedEntries;
let cursors: EmbeddedCursors;

beforeEach(async () => {
  dir = await tempDir();
  database = await openSentryDatabase(dir.path);
  time = virtualTime();
  const { scheduler } = time;
  const logger = createLogger({ level: 'silent', format: 'json' });
  entries = await embeddedEntries(database, { scheduler });
  cursors = await embeddedCursors(database, entries, { durables: ['a'], keeper: undefined, logger, scheduler });
  await entries.append(entriesOf(0, 3), () => undefined);
});

afterEach(async () => {
  await cursors.close();
  await database.close();
  await dir.remove();
});

const held = async () => (await entries.page(0, 10)).map(({ position }) => position);

it('are written once for many acknowledgements, with the release of what is done with', async () => {
  cursors.advance('a', 1);
  cursors.advance('a', 2);
  expect(await held()).toEqual([1, 2, 3]);
  await cursors.flush();
  expect(await held()).toEqual([3]);
  expect(entries.held).toMatchObject({ entries: 1 });
  expect(cursors.waiting()).toMatchObject({ entries: 1, after: 2 });
});

it('release nothing of what a reader waits for that becomes known while the write waits for its turn', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const before = database.transaction(() => promise);
  cursors.advance('a', 3);
  const ensured = cursors.ensure('b');
  const flushed = cursors.flush();
  resolve();
  await Promise.all([before, ensured, flushed]);
  expect(await held()).toEqual([1, 2, 3]);
  expect(cursors.waiting()).toMatchObject({ entries: 3, after: 0 });
  cursors.advance('b', 2);
  await cursors.flush();
  expect(await held()).toEqual([3]);
});
