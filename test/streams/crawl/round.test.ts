import { describe, expect, it } from 'vitest';
import { createRound, type Meeting, type Round } from '../../../src/streams/crawl/round.ts';
import { DIGEST, nodeRecord } from '../../support/streams/network.ts';

const seed = (name: string) => ({ nodeId: `node-${name}`, enr: `enr:${name}` });

function roundOf(maxNodes = 9): Round {
  return createRound({ maxNodes, startedMs: 3, isOurs: ({ eth2 }) => eth2?.forkDigest === DIGEST });
}

describe('a node that a round comes across', () => {
  it.each<[string, { seeds?: string[]; maxNodes?: number; verdict: 'yes' | 'no' | 'crowded' }, Meeting]>([
    ['is to be asked, if it may be', { verdict: 'yes' }, 'to-ask'],
    ['is met and no more, if it may not', { verdict: 'no' }, 'met'],
    ['is turned away, if its place is crowded', { verdict: 'crowded' }, 'turned-away'],
    ['is turned away, if the round is', { seeds: ['b'], maxNodes: 1, verdict: 'yes' }, 'turned-away'],
    ['is turned away from a full round though it would not be asked', { maxNodes: 0, verdict: 'no' }, 'turned-away'],
    ['was met before, and its place is not looked at', { seeds: ['a'], verdict: 'crowded' }, 'met'],
  ])('%s', (_, { seeds = [], maxNodes = 9, verdict }, meeting) => {
    const round = roundOf(maxNodes);
    for (const name of seeds) round.seed(seed(name));
    expect(round.meet(nodeRecord('a'), () => verdict)).toBe(meeting);
    const isTurnedAway = meeting === 'turned-away';
    expect(round.coverage(9)).toMatchObject({
      seen: seeds.length + (isTurnedAway || seeds.includes('a') ? 0 : 1),
      ours: isTurnedAway ? 0 : 1,
      dropped: isTurnedAway ? 1 : 0,
    });
    expect(round.waiting).toBe(seeds.length + (meeting === 'to-ask' ? 1 : 0));
  });
});

describe('createRound', () => {
  it('hands out who is to be asked in the order of meeting, and is over when all of them were heard', () => {
    const round = roundOf();
    expect(round.isOver).toBe(true);
    expect([round.seed(seed('a')), round.seed(seed('a'))]).toEqual([true, false]);
    round.meet(nodeRecord('b'), () => 'yes');
    expect([round.take()?.nodeId, round.take()?.nodeId, round.take()]).toEqual(['node-a', 'node-b', null]);
    round.heard(true);
    expect(round.isOver).toBe(false);
    round.heard(false);
    expect(round.isOver).toBe(true);
    expect(round.coverage(8)).toEqual({
      seen: 2,
      answered: 1,
      silent: 1,
      ours: 1,
      otherDigests: {},
      dropped: 0,
      startedMs: 3,
      endedMs: 8,
    });
  });

  it('takes no more seeds than it may meet', () => {
    const round = roundOf(1);
    expect([round.seed(seed('a')), round.seed(seed('b'))]).toEqual([true, false]);
    expect(round.coverage(8)).toMatchObject({ seen: 1, dropped: 1 });
  });
});
