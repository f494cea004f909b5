import { describe, expect, it } from 'vitest';
import { createPublisher } from '../../../src/streams/publishing/publisher.ts';
import { deliveries } from './support/publishing.ts';

function publisherTo(refusal: () => Error | null = () => null) {
  const said: { positions: number[]; session: string; isRepeated: boolean }[] = [];
  let successes = 0;
  const stream = {
    async publish(entries: readonly object[], options: { session: string; isRepeated: boolean }) {
      said.push({ positions: entries.map((entry) => (entry as { position: number }).position), ...options });
      const error = refusal();
      if (error !== null) throw error;
      return 500;
    },
  };
  const onSuccess = () => {
    successes++;
  };
  return { publisher: createPublisher(stream, 4, onSuccess), said, successes: () => successes };
}

describe('createPublisher', () => {
  it('gives the sequence of the stream, and counts what that has taken', async () => {
    const { publisher, said, successes } = publisherTo();
    expect(await publisher.publish(deliveries(1, 3), 'first')).toBe(500);
    expect(said).toMatchObject([{ positions: [1, 2, 3], session: 'first' }]);
    expect([publisher.published, successes()]).toEqual([3, 1]);
  });

  it('takes for repeated what an earlier run may have published without noting it', async () => {
    const { publisher, said } = publisherTo();
    publisher.resumed(10);
    for (const from of [11, 14, 15]) await publisher.publish(deliveries(from, from), 'first');
    expect(said.map(({ isRepeated }) => isRepeated)).toEqual([true, true, false]);
  });

  it('takes for repeated what it has tried itself, in an earlier session or in vain', async () => {
    let isAway = true;
    const { publisher, said, successes } = publisherTo(() => (isAway ? new Error('away') : null));
    publisher.resumed(0);
    await expect(publisher.publish(deliveries(5, 8), 'first')).rejects.toThrow('away');
    expect([publisher.published, successes()]).toEqual([0, 0]);
    isAway = false;
    await publisher.publish(deliveries(5, 8), 'first');
    await publisher.publish(deliveries(9, 20), 'first');
    // Back to where nothing was lost: all of that is known to have been tried, and nothing beyond it.
    publisher.resumed(20);
    await publisher.publish(deliveries(7, 9), 'second');
    await publisher.publish(deliveries(21, 21), 'second');
    expect(said.map(({ isRepeated }) => isRepeated)).toEqual([false, true, false, true, false]);
  });
});
