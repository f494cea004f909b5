import { beforeEach, describe, expect, it } from 'vitest';
import { type StagedCounts, stagedCounts } from '../../../../src/io/storage/parquet/staged-counts.ts';
import type { Partition } from '../../../../src/io/storage/parquet/staging.ts';

const FILE_ROWS = 10;
const TODAY: Partition = { table: 'metadata_events', date: '2026-01-02' };
const YESTERDAY: Partition = { table: 'metadata_events', date: '2026-01-01' };
const OTHER: Partition = { table: 'discovery_events', date: '2026-01-02' };

let counts: StagedCounts;

beforeEach(() => {
  counts = stagedCounts(FILE_ROWS);
});

const due = () => counts.nextDue()?.partition ?? null;

describe('a partition is due', () => {
  it('when it fills a file, which it does alone', () => {
    counts.add(TODAY, 9);
    counts.add(YESTERDAY, 9);
    counts.add(OTHER, 9);
    expect(due()).toBe(null);
    counts.add(YESTERDAY, 1);
    expect(due()).toEqual(YESTERDAY);
  });

  it('when it was there at a sweep, the largest first, and what comes later is not', () => {
    counts.add(OTHER, 1);
    counts.add(YESTERDAY, 2);
    counts.sweep();
    counts.add(TODAY, 3);
    expect(due()).toEqual(YESTERDAY);
    counts.nextDue()?.written(2);
    expect(due()).toEqual(OTHER);
    counts.nextDue()?.written(1);
    expect(due()).toBe(null);
    expect(counts.total).toBe(3);
  });

  it('when as much as four files is staged, however small it is itself', () => {
    for (let day = 10; day < 15; day++) counts.add({ ...TODAY, date: `2026-01-${day}` }, 8);
    expect(counts.isFull()).toBe(true);
    expect(due()).toMatchObject({ date: '2026-01-10' });
    counts.nextDue()?.written(8);
    expect([counts.isFull(), due()]).toEqual([false, null]);
  });
});

describe('what a sweep made due', () => {
  it('stays due until a file was not full: then there were no more', () => {
    counts.add(TODAY, 25);
    counts.sweep();
    counts.nextDue()?.written(10);
    counts.nextDue()?.written(10);
    counts.add(TODAY, 1);
    expect([counts.isSwept(), counts.total]).toEqual([false, 6]);
    counts.nextDue()?.written(5);
    expect([counts.isSwept(), counts.total, due()]).toEqual([true, 1, null]);
  });

  it('is forgotten when nothing was found in it', () => {
    counts.add(TODAY, 5);
    counts.sweep();
    counts.nextDue()?.written(null);
    expect([counts.isSwept(), counts.total, due()]).toEqual([true, 0, null]);
  });

  it('is nothing when nothing is staged', () => {
    counts.sweep();
    expect(counts.isSwept()).toBe(true);
  });
});

it('counts rows that a file has taken before their commit was reported', () => {
  counts.add(TODAY, 10);
  counts.nextDue()?.written(10);
  counts.add(TODAY, -2);
  counts.sweep();
  expect([counts.total, due(), counts.isSwept()]).toEqual([-2, null, true]);
  counts.add(TODAY, 2);
  expect(counts.total).toBe(0);
});
