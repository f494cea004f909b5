import { describe, expect, it } from 'vitest';
import type { StreamState } from '../../../src/streams/ports/spool.ts';
import type { Remembered } from '../../../src/streams/ports/stream-memory.ts';
import { createLosses } from '../../../src/streams/publishing/losses.ts';
import { createResuming } from '../../../src/streams/publishing/resuming.ts';
import { memoryOf, streamState } from './support/publishing.ts';

/** Everything up to 100 was published, up to 40 read, and up to 80 it is certain. */
const REMEMBERED: Remembered = { incarnation: 'one', settled: 80, sequence: 90, readers: { a: '1' } };
const CURSORS = { published: 100, consumed: 40 };

function resuming(before: Remembered | null, now: Partial<StreamState> = {}, cursors = CURSORS) {
  const memory = memoryOf(before);
  const losses = createLosses();
  const rewound: number[] = [];
  const changes: { from: number; to: number }[] = [];
  const resumedAt: number[] = [];
  const state = streamState({ readers: { a: '1' }, ...now });
  const resume = createResuming({
    spool: {
      cursor: (durable) => cursors[durable as keyof typeof CURSORS],
      rewind: async (_, position) => {
        rewound.push(position);
      },
    },
    stream: { state: async () => state },
    published: 'published',
    consumed: 'consumed',
    memory,
    publisher: { resumed: (to) => resumedAt.push(to) },
    losses,
    onAnswer: () => undefined,
    onChanged: (change) => changes.push(change),
  });
  return { resume, memory, losses, rewound, changes, resumedAt, state };
}

describe('publishing goes on', () => {
  it.each<[string, Remembered | null, Partial<StreamState>, Partial<typeof CURSORS>, number, boolean]>([
    ['behind what is certain, in the same stream', REMEMBERED, {}, {}, 80, false],
    ['behind what was read, if that is further', REMEMBERED, {}, { consumed: 85 }, 85, false],
    ['where it was, if everything is certain', { ...REMEMBERED, settled: 120 }, {}, {}, 100, false],
    ['behind what was read, in another stream', REMEMBERED, { incarnation: 'two' }, {}, 40, true],
    ['behind what was read, after a reader of others was made anew', REMEMBERED, { readers: { a: '2' } }, {}, 40, true],
    [
      'where it was, in another stream, if everything was read',
      REMEMBERED,
      { incarnation: 'two' },
      { consumed: 100 },
      100,
      false,
    ],
    ['behind what was read, at the first start, and tells nobody', null, {}, {}, 40, false],
  ])('%s', async (_, before, now, cursors, settled, isTold) => {
    const { resume, memory, rewound, changes, resumedAt, state } = resuming(before, now, { ...CURSORS, ...cursors });
    expect(await resume()).toEqual({ state, settled });
    expect(rewound).toEqual(settled < 100 ? [settled] : []);
    expect(changes).toEqual(isTold ? [{ from: settled, to: 100 }] : []);
    expect(resumedAt).toEqual([100]);
    const isSame = before !== null && now.incarnation === undefined && now.readers === undefined;
    const { incarnation, readers } = state;
    expect(memory.value).toEqual({ incarnation, readers, settled, sequence: isSame ? 90 : 0 });
  });

  it('behind what was read, once the stream has lacked something three times in a row', async () => {
    const { resume, rewound, changes } = resuming(REMEMBERED, { lastSequence: 89 });
    for (let look = 0; look < 2; look++) await expect(resume()).rejects.toThrow('not have all that it has confirmed');
    expect(rewound).toEqual([]);
    expect(await resume()).toMatchObject({ settled: 40 });
    expect(changes).toEqual([{ from: 40, to: 100 }]);
  });

  it.each([89, 100])(
    'behind what was read at once, if something is known to be lost, though it has %i',
    async (has) => {
      const { resume, losses } = resuming(REMEMBERED, { lastSequence: has });
      losses.found();
      expect(await resume()).toMatchObject({ settled: 40 });
      expect(losses.isAny).toBe(false);
    },
  );
});
