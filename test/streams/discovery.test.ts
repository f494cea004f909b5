import { map, NEVER, type Observable } from 'rxjs';
import { describe, it } from 'vitest';
import { failed, type Outcome, success } from '../../src/consensus/failure.ts';
import { type DiscoveryAnswer, discovery } from '../../src/streams/discovery.ts';
import type { NeighbourAnswer } from '../../src/streams/ports/discovery.ts';
import { marbles } from '../support/streams/marbles.ts';
import { nodeRecord } from '../support/streams/network.ts';

const targets = Object.fromEntries(['a', 'b', 'c', 'd'].map((name) => [name, { nodeId: `node-${name}`, enr: name }]));

function inWords({ target, answer }: DiscoveryAnswer): string {
  return answer.ok
    ? `${target.enr} ${answer.value.records.map(({ peerId }) => peerId)} in ${answer.value.requests}`
    : `${target.enr} ${answer.failure.stage} ${answer.failure.cause}`;
}

describe('discovery', () => {
  it('passes on what the nodes know, with who was asked', () => {
    marbles(({ cold, scheduler, expectObservable }) => {
      const answers: Record<string, Observable<Outcome<NeighbourAnswer>>> = {
        a: cold('----x|', { x: success({ records: [nodeRecord('p'), nodeRecord('q')], requests: 3 }) }),
        b: cold('-x|', { x: failed('resolve', 'timeout') }),
      };
      const stage = discovery(
        { neighbours: (enr) => answers[enr] ?? NEVER },
        { concurrency: 2, maxWaiting: 2, timeoutMs: 9, scheduler },
      );
      expectObservable(cold('(ab|)', targets).pipe(stage, map(inWords))).toBe('-b--(a|)', {
        a: 'a p,q in 3',
        b: 'b resolve timeout',
      });
    });
  });

  it('answers for nodes that never do, that break the port, and that find no place', () => {
    marbles(({ cold, scheduler, expectObservable }) => {
      const neighbours = (enr: string): Observable<Outcome<NeighbourAnswer>> => {
        if (enr === 'b') throw new Error('broken');
        return NEVER;
      };
      const stage = discovery({ neighbours }, { concurrency: 1, maxWaiting: 2, timeoutMs: 5, scheduler });
      expectObservable(cold('(abcd|)', targets).pipe(stage, map(inWords))).toBe('d----(ab)-(c|)', {
        a: 'a resolve timeout',
        b: 'b resolve unknown',
        c: 'c resolve timeout',
        d: 'd resolve resource_limited',
      });
    });
  });
});
