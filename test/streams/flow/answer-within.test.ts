import { EMPTY, map, NEVER, type Observable, of, throwError } from 'rxjs';
import { describe, it } from 'vitest';
import { failed, type Outcome, success } from '../../../src/consensus/failure.ts';
import { answerWithin } from '../../../src/streams/flow/answer-within.ts';
import { marbles } from '../../support/streams/marbles.ts';

type Ask = () => Observable<Outcome<string>>;

describe('answerWithin', () => {
  const values = { a: success('a'), b: success('b'), f: failed<string>('dial', 'refused') };
  const inWords = (outcome: Outcome<string>) =>
    outcome.ok ? outcome.value : `${outcome.failure.stage} ${outcome.failure.cause}`;

  it.each<[string, string, Record<string, string>]>([
    ['--a|', '--(x|)', { x: 'a' }],
    ['--f|', '--(x|)', { x: 'dial refused' }],
    ['--a-b', '--(x|)', { x: 'a' }],
    ['----a', '----(x|)', { x: 'a' }],
    ['------a', '-----(x|)', { x: 'dial timeout' }],
    ['--|', '--(x|)', { x: 'dial unknown' }],
    ['--#', '--(x|)', { x: 'dial unknown' }],
  ])('makes of %s in 5 ms %s', (answers, expected, words) => {
    marbles(({ cold, expectObservable, scheduler }) => {
      const answer$ = answerWithin(() => cold(answers, values), { stage: 'dial', timeoutMs: 5, scheduler });
      expectObservable(answer$.pipe(map(inWords))).toBe(expected, words);
    });
  });

  it.each<[string, Ask, string]>([
    [
      'throws when asked',
      () => {
        throw new Error('broken');
      },
      '(x|)',
    ],
    ['errors at once', () => throwError(() => 'broken'), '(x|)'],
    ['ends at once', () => EMPTY, '(x|)'],
  ])('makes a failure of a port that %s', (_, ask, expected) => {
    marbles(({ expectObservable, scheduler }) => {
      const answer$ = answerWithin(ask, { stage: 'status', timeoutMs: 5, scheduler });
      expectObservable(answer$.pipe(map(inWords))).toBe(expected, { x: 'status unknown' });
    });
  });

  it('gives up the question when it is late or nobody waits any more', () => {
    marbles(({ cold, expectObservable, expectSubscriptions, scheduler }) => {
      const late = cold('---------a', values);
      const options = { stage: 'status', timeoutMs: 5, scheduler } as const;
      expectObservable(answerWithin(() => late, options).pipe(map(inWords))).toBe('-----(x|)', { x: 'status timeout' });
      expectSubscriptions(late.subscriptions).toBe('^----!');
      const abandoned = cold('---------a', values);
      expectObservable(
        answerWithin(() => abandoned, options),
        '--!',
      ).toBe('');
      expectSubscriptions(abandoned.subscriptions).toBe('^-!');
    });
  });

  it('asks when subscribed to, each time', () => {
    marbles(({ expectObservable, scheduler }) => {
      let asked = 0;
      const answer$ = answerWithin(() => of(success(String(++asked))), { stage: 'dial', timeoutMs: 5, scheduler });
      expectObservable(answer$.pipe(map(inWords))).toBe('(x|)', { x: '1' });
      expectObservable(answer$.pipe(map(inWords))).toBe('(x|)', { x: '2' });
      expectObservable(answerWithin(() => NEVER, { stage: 'dial', timeoutMs: 0, scheduler }).pipe(map(() => 'x'))).toBe(
        '(x|)',
      );
    });
  });
});
