import { delay, map, type Observable } from 'rxjs';
import { describe, it } from 'vitest';
import { failure } from '../../../src/consensus/failure.ts';
import { through } from '../../../src/streams/flow/through.ts';
import { type Stage, type VisitOutcome, visitFailed, visitSucceeded } from '../../../src/streams/visit.ts';
import { inWords } from '../../support/streams/link.ts';
import { marbles } from '../../support/streams/marbles.ts';

type Greeted = { readonly peerId: string; readonly lease: number };

const values: Record<string, VisitOutcome<Greeted>> = {
  a: visitSucceeded({ peerId: 'a', lease: 1 }),
  b: visitSucceeded({ peerId: 'b', lease: 2 }),
  x: visitFailed({ peerId: 'x', lease: 3 }, failure('dial', 'refused')),
};

describe('through', () => {
  it('takes visits that succeeded through the stage, and failed ones past it', () => {
    marbles(({ cold, expectObservable, scheduler }) => {
      const stage: Stage<Greeted, Greeted> = (input) => input.pipe(delay(3, scheduler), map(visitSucceeded));
      const outcomes$ = cold('axb-|', values).pipe(through(stage), map(inWords));
      expectObservable(outcomes$).toBe('-x-a-(b|)', { a: 'a ok', b: 'b ok', x: 'x dial refused' });
    });
  });

  it('subscribes to its source once', () => {
    marbles(({ cold, expectObservable, expectSubscriptions }) => {
      const source = cold('a---', values);
      const stage = (input: Observable<Greeted>) => input.pipe(map(visitSucceeded));
      expectObservable(source.pipe(through(stage), map(inWords)), '--!').toBe('a', { a: 'a ok' });
      expectSubscriptions(source.subscriptions).toBe('^-!');
    });
  });

  it('passes on that the program is wrong', () => {
    marbles(({ cold, expectObservable }) => {
      const broken: Stage<Greeted, Greeted> = (input) =>
        input.pipe(
          map(() => {
            throw new Error('a bug');
          }),
        );
      expectObservable(cold('x-a', values).pipe(through(broken), map(inWords))).toBe(
        'x-#',
        { x: 'x dial refused' },
        new Error('a bug'),
      );
    });
  });
});
