import { map, NEVER, type Observable, of } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { failed, type Outcome, success } from '../../src/consensus/failure.ts';
import { dial } from '../../src/streams/dial.ts';
import { createDepth } from '../../src/streams/flow/merge-bounded.ts';
import type { PeerLink } from '../../src/streams/ports/peer-link.ts';
import { dueVisit, fakeLink, inWords } from '../support/streams/link.ts';
import { marbles } from '../support/streams/marbles.ts';

const limits = { concurrency: 2, maxWaiting: 1, timeoutMs: 5 };
const visits = { a: dueVisit('a'), b: dueVisit('b'), c: dueVisit('c'), d: dueVisit('d') };

function dialer(answers: Record<string, Observable<Outcome<PeerLink>>>) {
  return { dial: ({ peerId }: { peerId: string }) => answers[peerId] ?? NEVER };
}

describe('dial', () => {
  it('opens a connection to each visit, or says why not, or that it took too long', () => {
    marbles(({ cold, scheduler, expectObservable }) => {
      const answers = dialer({
        a: cold('--a|', { a: success(fakeLink({ peerId: 'a' })) }),
        b: cold('-b|', { b: failed('dial', 'refused') }),
        c: NEVER,
      });
      const outcomes$ = cold('ab--c|', visits).pipe(dial(answers, { ...limits, scheduler }), map(inWords));
      expectObservable(outcomes$).toBe('--(ab)---(c|)', {
        a: 'a ok',
        b: 'b dial refused',
        c: 'c dial timeout',
      });
    });
  });

  it('hands on who it is and under which lease, with the connection', () => {
    const link = fakeLink({ peerId: 'a' });
    const got: unknown[] = [];
    marbles(({ cold, scheduler, flush }) => {
      const visit = { peerId: 'a', lease: 77, enr: 'enr:a', addresses: [] };
      const stage = dial(dialer({ a: of(success(link)) }), { ...limits, scheduler });
      cold('a|', { a: visit })
        .pipe(stage)
        .subscribe((outcome) => got.push(outcome));
      flush();
    });
    expect(got).toEqual([{ ok: true, value: { peerId: 'a', lease: 77, enr: 'enr:a', link } }]);
  });

  it('makes a failure of one peer of what a dialer throws, and dials the others', () => {
    marbles(({ cold, scheduler, expectObservable }) => {
      const broken = {
        dial: ({ peerId }: { peerId: string }): Observable<Outcome<PeerLink>> => {
          if (peerId === 'a') throw new Error('broken');
          if (peerId === 'b') return cold('-----#');
          return of(success(fakeLink({ peerId })));
        },
      };
      const outcomes$ = cold('abc|', visits).pipe(dial(broken, { ...limits, scheduler }), map(inWords));
      expectObservable(outcomes$).toBe('a-c---(b|)', { a: 'a dial unknown', b: 'b dial unknown', c: 'c ok' });
    });
  });

  it('turns away what finds every place taken', () => {
    const depth = createDepth();
    marbles(({ cold, scheduler, expectObservable, flush }) => {
      const outcomes$ = cold('(abcd)', visits).pipe(dial(dialer({}), { ...limits, scheduler, depth }), map(inWords));
      expectObservable(outcomes$, '20ms !').toBe('d----(ab)-c', {
        a: 'a dial timeout',
        b: 'b dial timeout',
        c: 'c dial timeout',
        d: 'd dial resource_limited',
      });
      flush();
    });
    expect(depth.overflowed).toBe(1);
  });

  it('gives up attempts when they are late and when unsubscribed', () => {
    marbles(({ cold, scheduler, expectObservable, expectSubscriptions }) => {
      const slow = cold<Outcome<PeerLink>>('----------a');
      expectObservable(
        cold('a', visits).pipe(dial(dialer({ a: slow }), { ...limits, scheduler }), map(inWords)),
        '8ms !',
      ).toBe('-----a', {
        a: 'a dial timeout',
      });
      expectSubscriptions(slow.subscriptions).toBe('^----!');
      const abandoned = cold<Outcome<PeerLink>>('----------a');
      expectObservable(cold('a', visits).pipe(dial(dialer({ a: abandoned }), { ...limits, scheduler })), '--!').toBe(
        '',
      );
      expectSubscriptions(abandoned.subscriptions).toBe('^-!');
    });
  });
});
