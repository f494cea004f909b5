import { expect, it } from 'vitest';
import type { ConsumerCounts } from '../../../src/programs/consumer/start-consumer.ts';
import { sumConsumerCounts, sumGeolocationCounts } from '../../../src/programs/consumer/sum-counts.ts';

it('adds up what two consumers have counted, and tells the rows that wait now', () => {
  const before: ConsumerCounts = {
    deliveries: 10,
    applied: 6,
    duplicates: 1,
    malformed: 3,
    parquetFiles: 2,
    parquetRows: 5,
    stagedRows: 40,
    deadLetters: new Map([
      ['not JSON', 2],
      ['too large', 1],
    ]),
    deadLettersDropped: 7,
    upkeep: { merged: 1, mergedInto: 2, anonymised: 3, dropped: 4 },
    forgotten: { peers: 1, deadLetters: 2, eventIds: 3 },
  };
  const since: ConsumerCounts = {
    deliveries: 100,
    applied: 60,
    duplicates: 10,
    malformed: 30,
    parquetFiles: 20,
    parquetRows: 50,
    stagedRows: 4,
    deadLetters: new Map([
      ['not JSON', 20],
      ['wrong fields', 10],
    ]),
    deadLettersDropped: 70,
    upkeep: { merged: 10, mergedInto: 20, anonymised: 30, dropped: 40 },
    forgotten: { peers: 10, deadLetters: 20, eventIds: 30 },
  };
  expect(sumConsumerCounts(before, since)).toEqual({
    deliveries: 110,
    applied: 66,
    duplicates: 11,
    malformed: 33,
    parquetFiles: 22,
    parquetRows: 55,
    stagedRows: 4,
    deadLetters: new Map([
      ['not JSON', 22],
      ['too large', 1],
      ['wrong fields', 10],
    ]),
    deadLettersDropped: 77,
    upkeep: { merged: 11, mergedInto: 22, anonymised: 33, dropped: 44 },
    forgotten: { peers: 11, deadLetters: 22, eventIds: 33 },
  });
  expect(before.deadLetters.get('not JSON')).toBe(2);
});

it('adds up what was located', () => {
  const sum = sumGeolocationCounts(
    { addresses: 3, placed: 2, provisional: 1 },
    { addresses: 30, placed: 20, provisional: 10 },
  );
  expect(sum).toEqual({ addresses: 33, placed: 22, provisional: 11 });
});
