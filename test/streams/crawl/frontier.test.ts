import { describe, expect, it } from 'vitest';
import { failed, success } from '../../../src/consensus/failure.ts';
import type { Coverage } from '../../../src/streams/crawl/coverage.ts';
import { createFrontier } from '../../../src/streams/crawl/frontier.ts';
import type { DiscoveryTarget } from '../../../src/streams/discovery.ts';
import { DIGEST, forkId, nodeRecord, OTHER_DIGEST } from '../../support/streams/network.ts';

const isOurs = ({ eth2 }: ReturnType<typeof nodeRecord>) => eth2?.forkDigest === DIGEST;
const seed = (name: string): DiscoveryTarget => ({ nodeId: `node-${name}`, enr: `enr:${name}` });

function frontierOf(maxNodes: number) {
  const frontier = createFrontier({ maxNodes, isOurs });
  const rounds: Coverage[] = [];
  let woken = 0;
  frontier.rounds$.subscribe((coverage) => rounds.push(coverage));
  frontier.wake$.subscribe(() => {
    woken++;
  });
  return { frontier, rounds, woken: () => woken };
}

describe('createFrontier', () => {
  it('asks every node of the network once, and ends when it has met all', () => {
    // A ring of 50 nodes, each of which knows the next three.
    const { frontier, rounds } = frontierOf(1_000);
    const known = (index: number) => [1, 2, 3].map((step) => nodeRecord(String((index + step) % 50)));
    frontier.startRound([seed('0')], 10);
    const asked: string[] = [];
    for (let target = frontier.take(10); target !== null; target = frontier.take(10)) {
      asked.push(target.nodeId);
      const records = known(Number(target.nodeId.slice(5)));
      for (const record of records) frontier.add(record);
      frontier.answered({ target, answer: success({ records, requests: 1 }) }, 20);
    }
    expect(new Set(asked).size).toBe(50);
    expect(asked).toHaveLength(50);
    expect(rounds).toEqual([
      { seen: 50, answered: 50, silent: 0, ours: 50, otherDigests: {}, startedMs: 10, endedMs: 20, dropped: 0 },
    ]);
    expect(frontier.running).toBe(false);
  });

  it('counts who answered, who was silent, who is ours, and the digests of the others', () => {
    const { frontier, rounds } = frontierOf(1_000);
    frontier.startRound([seed('a'), seed('b')], 0);
    const a = frontier.take(0);
    const b = frontier.take(0);
    if (a === null || b === null) throw new Error('both seeds were to be asked');
    for (const record of [
      nodeRecord('b'),
      nodeRecord('b', { sequence: 2n, enr: 'enr:b2' }),
      nodeRecord('c', { eth2: forkId(OTHER_DIGEST), udp: [] }),
      nodeRecord('d', { eth2: forkId(OTHER_DIGEST), udp: [] }),
      nodeRecord('e', { eth2: null, udp: [] }),
    ]) {
      frontier.add(record);
    }
    frontier.answered({ target: a, answer: success({ records: [], requests: 1 }) }, 5);
    frontier.answered({ target: b, answer: failed('resolve', 'timeout') }, 9);
    expect(rounds).toEqual([
      {
        seen: 5,
        answered: 1,
        silent: 1,
        ours: 1,
        otherDigests: { [OTHER_DIGEST]: 2, none: 1 },
        startedMs: 0,
        endedMs: 9,
        dropped: 0,
      },
    ]);
  });

  it('does not end while one is still being asked, whose answer may hold more', () => {
    const { frontier, rounds } = frontierOf(1_000);
    frontier.startRound([seed('a'), seed('b')], 0);
    const a = frontier.take(0);
    const b = frontier.take(0);
    if (a === null || b === null) throw new Error('both seeds were to be asked');
    frontier.answered({ target: a, answer: success({ records: [], requests: 1 }) }, 1);
    expect(rounds).toEqual([]);
    frontier.add(nodeRecord('c'));
    frontier.answered({ target: b, answer: success({ records: [], requests: 1 }) }, 2);
    expect(rounds).toEqual([]);
    expect(frontier.take(2)?.nodeId).toBe('node-c');
  });

  it('meets no more nodes than it may, and counts those left out', () => {
    const { frontier } = frontierOf(3);
    frontier.startRound([seed('a')], 0);
    for (const name of ['b', 'c', 'd', 'e', 'b']) frontier.add(nodeRecord(name));
    const asked = [0, 1, 2, 3].map((nowMs) => frontier.take(nowMs));
    expect(asked.map((target) => target?.nodeId)).toEqual(['node-a', 'node-b', 'node-c', undefined]);
    const rounds: Coverage[] = [];
    frontier.rounds$.subscribe((coverage) => rounds.push(coverage));
    for (const target of asked) {
      if (target !== null) frontier.answered({ target, answer: failed('resolve', 'timeout') }, 9);
    }
    expect(rounds).toMatchObject([{ seen: 3, silent: 3, ours: 2, dropped: 2 }]);
  });

  it('counts digests beyond a bound together', () => {
    const { frontier, rounds } = frontierOf(10_000);
    frontier.startRound([seed('a')], 0);
    for (let index = 0; index < 1_000; index++) {
      const digest = index.toString(16).padStart(8, '0');
      frontier.add(nodeRecord(String(index), { eth2: forkId(digest), udp: [] }));
    }
    const target = frontier.take(0);
    if (target === null) throw new Error('the seed was to be asked');
    frontier.answered({ target, answer: failed('resolve', 'timeout') }, 9);
    const counts = rounds[0]?.otherDigests ?? {};
    expect(Object.keys(counts)).toHaveLength(257);
    expect(counts['rest']).toBe(1_000 - 256);
  });

  it('wakes who waits, and has nothing due when nobody waits', () => {
    const { frontier, woken } = frontierOf(9);
    expect(frontier.nextDueMs()).toBe(Number.POSITIVE_INFINITY);
    frontier.startRound([seed('a')], 0);
    expect(woken()).toBe(1);
    expect(frontier.nextDueMs()).toBe(Number.NEGATIVE_INFINITY);
    expect(frontier.waiting).toBe(1);
    frontier.take(0);
    expect(frontier.nextDueMs()).toBe(Number.POSITIVE_INFINITY);
    frontier.add(nodeRecord('a'));
    expect(woken()).toBe(1);
    frontier.add(nodeRecord('b'));
    expect(woken()).toBe(2);
  });

  it('starts no round while one runs, takes nothing in between rounds, and asks everybody anew in the next', () => {
    const { frontier, rounds } = frontierOf(9);
    expect(frontier.startRound([seed('a')], 0)).toBe(true);
    expect(frontier.startRound([seed('b')], 1)).toBe(false);
    const target = frontier.take(1);
    if (target === null) throw new Error('the seed was to be asked');
    frontier.answered({ target, answer: failed('resolve', 'timeout') }, 2);
    frontier.add(nodeRecord('c'));
    expect(frontier.waiting).toBe(0);
    expect(frontier.startRound([seed('a')], 3)).toBe(true);
    expect(frontier.take(3)?.nodeId).toBe('node-a');
    expect(rounds).toHaveLength(1);
  });

  it('ends at once a round without anybody to ask', () => {
    const { frontier, rounds } = frontierOf(9);
    expect(frontier.startRound([], 5)).toBe(true);
    expect(frontier.running).toBe(false);
    expect(rounds).toMatchObject([{ seen: 0, answered: 0, startedMs: 5, endedMs: 5 }]);
  });
});
