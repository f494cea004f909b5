import { describe, expect, it } from 'vitest';
import { createLosses } from '../../../src/streams/publishing/losses.ts';

describe('createLosses', () => {
  it('knows of a loss until it is mended', () => {
    const losses = createLosses();
    expect(losses.isAny).toBe(false);
    losses.found();
    expect(losses.isAny).toBe(true);
    losses.mended();
    expect(losses.isAny).toBe(false);
    losses.foundAt(7);
    expect(losses.isAny).toBe(true);
  });

  it('waits longer each time that the same is lost again, a minute at most, and not at all for something else', () => {
    const losses = createLosses();
    const waits = (position: number, times: number) =>
      Array.from({ length: times }, () => {
        losses.mended();
        return losses.foundAt(position);
      });
    expect(waits(7, 11)).toEqual([0, 250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
    expect(waits(9, 2)).toEqual([0, 250]);
    expect(waits(7, 2)).toEqual([0, 250]);
  });
});
