import { expect, it } from 'vitest';
import { failure } from '../../src/consensus/failure.ts';
import { createVisitTally } from '../../src/streams/visit-tally.ts';

const visit = (peerId: string) => ({ peerId, agent: 'Lighthouse/v7', missing: [], problems: [] });

it('counts observations, and distinct peers of this epoch', () => {
  const tally = createVisitTally();
  for (const peerId of ['a', 'b', 'a']) tally.observed(visit(peerId));
  expect(tally.counts()).toMatchObject({ observed: 3, observedThisEpoch: 2 });
  tally.beginEpoch();
  tally.observed(visit('a'));
  expect(tally.counts()).toMatchObject({ observed: 4, observedThisEpoch: 1, failed: 0, failures: [], turnedAway: [] });
});

it('counts everything that went wrong, but only visits as failed visits', () => {
  const tally = createVisitTally();
  tally.failed({ peerId: 'a', lease: 1, failure: failure('dial', 'refused') });
  tally.failed({ peerId: 'b', lease: 2, failure: failure('dial', 'refused') });
  tally.problem({ peerId: 'c', lease: -1, failure: failure('resolve', 'bad_response') });
  tally.observed({ ...visit('d'), missing: [failure('metadata', 'timeout')], problems: [failure('status', 'eof')] });
  const { failures, ...counts } = tally.counts();
  expect(counts).toEqual({ observed: 1, observedThisEpoch: 1, failed: 2, turnedAway: [] });
  expect(failures).toEqual([
    { stage: 'dial', cause: 'refused', client: 'unknown', count: 2 },
    { stage: 'resolve', cause: 'bad_response', client: 'unknown', count: 1 },
    { stage: 'metadata', cause: 'timeout', client: 'Lighthouse', count: 1 },
    { stage: 'status', cause: 'eof', client: 'Lighthouse', count: 1 },
  ]);
});

it('counts connections that began no visit by client and reason, and goes on doing so in the next epoch', () => {
  const tally = createVisitTally();
  tally.turnedAway('Lighthouse', 'observed');
  tally.turnedAway('Caplin', 'observed');
  tally.beginEpoch();
  tally.turnedAway('Lighthouse', 'observed');
  tally.turnedAway('Lighthouse', 'no-room');
  expect(tally.counts().turnedAway).toEqual([
    { client: 'Lighthouse', reason: 'observed', count: 2 },
    { client: 'Caplin', reason: 'observed', count: 1 },
    { client: 'Lighthouse', reason: 'no-room', count: 1 },
  ]);
});
