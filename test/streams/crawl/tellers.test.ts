import { expect, it } from 'vitest';
import { createTellers, SILENT_IN_A_ROW } from '../../../src/streams/crawl/tellers.ts';

function telling(teller: string, answers: readonly boolean[]) {
  const tellers = createTellers();
  for (const index of answers.keys()) tellers.told(teller, `node ${index}`);
  return { tellers, found: answers.map((answered, index) => tellers.heard(`node ${index}`, answered)) };
}

const silence = Array.from({ length: 40 }, () => false);

it('finds a node that tells of nobody who answers, once', () => {
  const { found } = telling('liar', silence);
  expect(found.indexOf('liar')).toBe(SILENT_IN_A_ROW - 1);
  expect(found.filter((name) => name !== null)).toEqual(['liar']);
});

it('believes whoever has told of one that answers', () => {
  const early = SILENT_IN_A_ROW - 1;
  expect(telling('old table', silence.with(early, true)).found.every((name) => name === null)).toBe(true);
});

it('blames nobody for nodes that others told of, and forgets a round with the next', () => {
  const { tellers } = telling('liar', silence.slice(0, SILENT_IN_A_ROW - 1));
  expect(tellers.heard('bootnode', false)).toBeNull();
  tellers.told('liar', 'one more');
  tellers.beginRound();
  expect(tellers.heard('one more', false)).toBeNull();
});
