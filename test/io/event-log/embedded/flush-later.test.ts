import { beforeEach, describe, expect, it } from 'vitest';
import { type FlushLater, flushLater } from '../../../../src/io/event-log/embedded/flush-later.ts';
import { createLogger } from '../../../../src/io/logging/logger.ts';
import { type VirtualTime, virtualTime } from '../../../support/virtual-time.ts';

let time: VirtualTime;
let flushedAt: number[];
let isFull: boolean;
let lines: string[];
let later: FlushLater;

beforeEach(() => {
  time = virtualTime();
  flushedAt = [];
  isFull = false;
  lines = [];
  later = flushLater({
    async flush() {
      flushedAt.push(time.scheduler.now());
      if (isFull) throw new Error('the disk is full');
    },
    logger: createLogger({ level: 'debug', format: 'json', write: (line) => lines.push(line) }),
    scheduler: time.scheduler,
  });
});

describe('a flush', () => {
  it('is one for all who ask until it comes', async () => {
    later.after(20);
    await time.advance(15);
    later.after(20);
    later.after(0);
    await time.advance(100);
    expect(flushedAt).toEqual([20]);
    later.after(20);
    await time.advance(100);
    expect(flushedAt).toEqual([20, 135]);
  });

  it('that fails is repeated each second, and told of once a minute', async () => {
    isFull = true;
    later.after(20);
    await time.advance(61_000);
    expect(flushedAt.slice(0, 3)).toEqual([20, 1_020, 2_020]);
    expect(flushedAt).toHaveLength(61);
    expect(lines).toHaveLength(2);
    expect(lines.join()).toContain('the disk is full');
    isFull = false;
    await time.advance(10_000);
    expect(flushedAt).toHaveLength(62);
  });

  it('that fails after one that did not is told of anew', async () => {
    for (const full of [true, false, true]) {
      isFull = full;
      later.after(0);
      await time.advance(1_000);
    }
    expect(lines).toHaveLength(2);
  });

  it('does not come after the stop, whoever asks', async () => {
    later.after(20);
    later.stop();
    later.after(0);
    await time.advance(100);
    expect(flushedAt).toEqual([]);
  });
});
