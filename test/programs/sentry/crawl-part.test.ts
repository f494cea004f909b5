import { expect, it } from 'vitest';
import { tellGivenUp } from '../../../src/programs/sentry/crawl-part.ts';

it.each([
  [0, []],
  [3, [[{ events: 3 }, 'the log takes nothing, so what was observed last is given up; those peers are visited again']]],
])('says of %i events that are given up what there is to say', (events, expected) => {
  const said: unknown[] = [];
  tellGivenUp(events, { warn: (...words: unknown[]) => said.push(words) } as never);
  expect(said).toEqual(expected);
});
