import { expect, it } from 'vitest';
import { createRoundTimes } from '../../../src/streams/crawl/round-times.ts';

it.each<[string, number | null, number[]]>([
  ['every so many epochs', 7, [10, 14, 18]],
  ['in the next epoch when nobody has answered', 0, [10, 11, 12, 13, 14, 15, 16, 17, 18]],
  ['as often while a round lasts', null, [10, 14, 18]],
])('rounds begin %s', (_, answered, begun) => {
  const times = createRoundTimes(4);
  const began: number[] = [];
  for (let epoch = 10; epoch < 19; epoch++) {
    if (!times.isTime(epoch)) continue;
    began.push(epoch);
    times.began(epoch);
    if (answered !== null) times.ended({ answered }, epoch);
  }
  expect(began).toEqual(begun);
});
