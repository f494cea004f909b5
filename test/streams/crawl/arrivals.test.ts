import { expect, it } from 'vitest';
import { createArrivals } from '../../../src/streams/crawl/arrivals.ts';

it('knows a record and its peer to be on the way from beginning to end', () => {
  const arrivals = createArrivals();
  const known = () => [arrivals.isOnItsWay({ enr: 'enr:1' }), arrivals.has('a'), arrivals.has('b')];
  arrivals.begin({ enr: 'enr:1', peerId: 'a' });
  expect(known()).toEqual([true, true, false]);
  expect(arrivals.isOnItsWay({ enr: 'enr:2' })).toBe(false);
  arrivals.end({ enr: 'enr:1', peerId: 'a' });
  expect(known()).toEqual([false, false, false]);
});
