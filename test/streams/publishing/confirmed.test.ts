import { describe, expect, it } from 'vitest';
import { createConfirmed } from '../../../src/streams/publishing/confirmed.ts';
import { memoryOf, streamState } from './support/publishing.ts';

function confirmedFrom({ settled = 0, read = 0 } = {}) {
  const memory = memoryOf(null);
  return { memory, confirmed: createConfirmed({ memory, stream: streamState(), settled, read }) };
}

describe('createConfirmed', () => {
  it('takes for certain what was confirmed long enough ago, remembers that, and only that can be read', async () => {
    const { memory, confirmed } = confirmedFrom();
    confirmed.add(10, 110, 1);
    confirmed.add(20, 120, 2);
    confirmed.add(30, 130, 3);
    expect(confirmed.readBefore(1_000)).toBe(0);
    await confirmed.settle(2, { other: 'x' });
    expect(memory.value).toEqual({ incarnation: 'one', settled: 20, sequence: 120, readers: { other: 'x' } });
    expect(confirmed.readBefore(1_000)).toBe(20);
    expect(confirmed.isUnread).toBe(true);
    await confirmed.settle(3, {});
    expect(confirmed.readBefore(1_000)).toBe(30);
    expect(confirmed.isUnread).toBe(false);
  });

  it('remembers nothing anew when nothing has become certain', async () => {
    const { memory, confirmed } = confirmedFrom();
    confirmed.add(10, 110, 5);
    await confirmed.settle(4, {});
    expect(memory.value).toBeNull();
  });

  it('keeps what could not be remembered as uncertain', async () => {
    const error = new Error('the disk is full');
    const memory = { save: () => Promise.reject(error) };
    const confirmed = createConfirmed({ memory, stream: streamState(), settled: 0, read: 0 });
    confirmed.add(10, 110, 1);
    await expect(confirmed.settle(2, {})).rejects.toBe(error);
    expect([confirmed.readBefore(1_000), confirmed.isUnread]).toEqual([0, true]);
  });

  it('remembers the highest sequence, also of a batch that the stream had before', async () => {
    const { memory, confirmed } = confirmedFrom();
    expect(confirmed.highest).toBe(100);
    confirmed.add(10, 110, 1);
    confirmed.add(20, 60, 1);
    expect(confirmed.highest).toBe(110);
    await confirmed.settle(1, {});
    expect(memory.value).toMatchObject({ settled: 20, sequence: 110 });
  });

  it.each([
    ['is read when the stream is, if it was not read by then', { settled: 9, read: 4 }, true, 9],
    ['is nothing new, if it was', { settled: 9, read: 9 }, false, 0],
  ])('what was certain when the session began %s', (_, begun, isUnread, read) => {
    const { confirmed } = confirmedFrom(begun);
    expect(confirmed.isUnread).toBe(isUnread);
    // Which of its sequences it had is forgotten: it is read when all are that were given out by then.
    expect(confirmed.readBefore(100)).toBe(0);
    expect(confirmed.readBefore(101)).toBe(read);
  });
});
