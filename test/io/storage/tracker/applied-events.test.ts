import { expect, it } from 'vitest';
import { committedAmong, loadAppliedEvents } from '../../../../src/io/storage/tracker/applied-events.ts';
import { openTracker } from '../../../../src/io/storage/tracker/database.ts';
import { writeDeadLetters } from '../../../../src/io/storage/tracker/dead-letters.ts';
import { databaseForEachTest } from '../../../support/database-for-each-test.ts';

/** What a consumer says of the events that it has dealt with, to those who want to let go of them. */

const home = databaseForEachTest(openTracker);

const among = (...eventIds: string[]) => committedAmong(home.database.reader, eventIds);

async function apply(...eventIds: string[]): Promise<void> {
  const events = await loadAppliedEvents(home.database.writer);
  await home.database.writer.transaction(() => events.write(eventIds, 0));
}

it('knows the events of each producer, in any order and with gaps, and those of unknown make', async () => {
  await apply('one:0', 'one:1', 'one:2', 'one:5', 'two:1', 'sha256-abc');
  expect(await among('one:0', 'one:2', 'one:3', 'one:4', 'one:5', 'one:6')).toEqual(
    new Set(['one:0', 'one:2', 'one:5']),
  );
  expect(await among('two:0', 'two:1', 'three:1', 'sha256-abc', 'sha256-def')).toEqual(
    new Set(['two:1', 'sha256-abc']),
  );
  expect(await among()).toEqual(new Set());
});

it('counts what was put aside, which is not offered again', async () => {
  const letter = {
    key: 'dead-1',
    position: 1,
    subject: 's',
    refusal: 'not JSON' as const,
    reason: 'r',
    payload: new Uint8Array(),
  };
  await home.database.writer.transaction(() =>
    writeDeadLetters(home.database.writer, 'log', [{ ...letter, eventId: 'one:7' }], 0),
  );
  expect(await among('one:6', 'one:7')).toEqual(new Set(['one:7']));
});

it('does not count what is about to be committed', async () => {
  const events = await loadAppliedEvents(home.database.writer);
  const { promise: told, resolve: go } = Promise.withResolvers<void>();
  const { promise: written, resolve: isWritten } = Promise.withResolvers<void>();
  const committing = home.database.writer.transaction(async () => {
    await events.write(['one:0', 'foreign'], 0);
    isWritten();
    await told;
  });
  await written;
  expect(await among('one:0', 'foreign')).toEqual(new Set());
  go();
  await committing;
  expect(await among('one:0', 'foreign')).toEqual(new Set(['one:0', 'foreign']));
});

it('takes text that would be SQL for what it is', async () => {
  expect(await among("one:0' OR 1=1 --", '"', '\u0000', '[]')).toEqual(new Set());
});
