import { NatsError } from 'nats';
import { defer, of, throwError } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { EventLogConfigError } from '../../../../src/io/event-log/nats/errors.ts';
import { type UntilReadyOptions, untilReady } from '../../../../src/io/event-log/nats/until-ready.ts';
import { marbles } from '../../../support/streams/marbles.ts';
import { loggerWithLines } from './support/lines.ts';

/** JetStream answers with its number for a cluster that has no leader. */
function busy(): NatsError {
  const error = new NatsError('JetStream system temporarily unavailable', '503');
  error.api_error = { code: 503, err_code: 10008, description: 'JetStream system temporarily unavailable' };
  return error;
}

/** Asks until it is ready, which it is after so many errors. */
function setUp(errors: readonly Error[], options: Partial<UntilReadyOptions>) {
  const { logger, lines } = loggerWithLines();
  let asked = 0;
  const answer$ = defer(() => {
    const error = errors[asked++];
    return error === undefined ? of('r') : throwError(() => error);
  });
  return { answer$: answer$.pipe(untilReady({ waits: false, logger, ...options })), lines, asked: () => asked };
}

describe('JetStream that is not ready', () => {
  it('is asked again each half second while it is busy, and that is told', () => {
    marbles(({ expectObservable, flush }) => {
      const { answer$, lines } = setUp([busy(), busy()], {});
      expectObservable(answer$).toBe('1s (r|)');
      flush();
      expect(lines).toEqual(Array.from({ length: 2 }, () => 'JetStream is not ready'));
    });
  });

  it('is given up after twenty seconds, and waited for when that is wanted', () => {
    const errors = Array.from({ length: 50 }, busy);
    marbles(({ expectObservable }) => {
      expectObservable(setUp(errors, {}).answer$).toBe('20s #', undefined, errors[40]);
      expectObservable(setUp(errors, { waits: true }).answer$).toBe('25s (r|)');
    });
  });

  it('is not asked again after an error that does not pass by itself', () => {
    marbles(({ expectObservable }) => {
      const other = new Error('no responders');
      expectObservable(setUp([other], {}).answer$).toBe('#', undefined, other);
      expectObservable(setUp([other], { waits: true }).answer$).toBe('500ms (r|)');
      const wrongKind = new EventLogConfigError('limits retention');
      expectObservable(setUp([wrongKind], { waits: true }).answer$).toBe('#', undefined, wrongKind);
    });
  });

  it('is waited for no longer once the program ends', () => {
    marbles(({ expectObservable, scheduler }) => {
      const ending = new AbortController();
      const reason = new Error('SIGTERM');
      scheduler.schedule(() => ending.abort(reason), 700);
      const errors = Array.from({ length: 9 }, busy);
      expectObservable(setUp(errors, { signal: ending.signal }).answer$).toBe('700ms #', undefined, reason);
      expectObservable(setUp(errors, { signal: AbortSignal.abort(reason) }).answer$).toBe('#', undefined, reason);
    });
  });
});
