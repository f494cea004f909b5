import { delay, NEVER, type Observable, of, tap } from 'rxjs';
import { describe, expect, it } from 'vitest';
import type { Client } from '../../src/consensus/client.ts';
import type { Status } from '../../src/consensus/containers.ts';
import { failed, failure, success } from '../../src/consensus/failure.ts';
import { type HandshakeOptions, handshake } from '../../src/streams/handshake.ts';
import type { GreetedVisit, VisitOutcome } from '../../src/streams/visit.ts';
import { AGENT, connectedVisit, fakeLink, type LinkBehaviour, status } from '../support/streams/link.ts';
import { type Marbles, marbles } from '../support/streams/marbles.ts';
import { DIGEST } from '../support/streams/network.ts';

/** What a peer is told of our chain in a visit, and when. */

/** Longer than a peer that tells its Status unasked is waited for. */
const TIMEOUT_MS = 5_000;
const TOLD_WITHIN_MS = 2_000;

interface Told {
  /** `ms what` of each question. */
  readonly asked: readonly string[];
  readonly said: readonly Status[];
  readonly outcome: VisitOutcome<GreetedVisit> | undefined;
}

function greet(
  behaviour: (helpers: Marbles) => Partial<LinkBehaviour>,
  changed: (helpers: Marbles) => Partial<HandshakeOptions> = () => ({}),
): Told {
  const asked: string[] = [];
  const said: Status[] = [];
  const outcomes: VisitOutcome<GreetedVisit>[] = [];
  marbles((helpers) => {
    const { scheduler } = helpers;
    const link = fakeLink(behaviour(helpers));
    const note = <T>(what: string, answer$: Observable<T>) => {
      asked.push(`${scheduler.now()} ${what}`);
      return answer$;
    };
    const noted = {
      ...link,
      identify: () => note('identify', link.identify()),
      status: (own: Status) => {
        said.push(own);
        return note('status', link.status(own));
      },
      metaData: () => note('metadata', link.metaData()),
    };
    of(connectedVisit(noted))
      .pipe(
        handshake({
          concurrency: 1,
          maxWaiting: 0,
          timeoutMs: TIMEOUT_MS,
          scheduler,
          ownStatus: () => status(),
          acceptedDigests: () => new Set([DIGEST]),
          ...changed(helpers),
        }),
      )
      .subscribe((outcome) => outcomes.push(outcome));
    helpers.flush();
  });
  return { asked, said, outcome: outcomes[0] };
}

describe('a peer whose client is not known', () => {
  it('says who it is before it is told anything, and is told by that', () => {
    let client: Client = 'unknown';
    const clients: Client[] = [];
    const { asked } = greet(
      ({ cold }) => ({
        client: () => client,
        identity$: cold('---i|', { i: success({ agent: AGENT, listenAddresses: [] }) }).pipe(
          tap(() => {
            client = 'Teku';
          }),
        ),
      }),
      () => ({
        ownStatus: (_, known) => {
          clients.push(known);
          return status();
        },
      }),
    );
    expect(asked).toEqual(['0 identify', '3 status', '3 metadata']);
    expect(clients).toEqual(['Teku']);
  });

  it('is told all the same when it does not say', () => {
    const { asked, outcome } = greet(({ cold }) => ({
      client: 'unknown',
      identity$: cold('--f|', { f: failed('identify', 'eof') }),
    }));
    expect(asked).toEqual(['0 identify', '2 status', '2 metadata']);
    expect(outcome).toMatchObject({ ok: true, value: { status: status(), missing: [failure('identify', 'eof')] } });
  });

  it('is told at once when it is known from before', () => {
    const { asked } = greet(() => ({ client: 'Teku', identity$: NEVER }));
    expect(asked).toEqual(['0 identify', '0 status', '0 metadata']);
  });
});

describe('a peer to which there is nothing to say', () => {
  it('is not asked for its Status, but for all else', () => {
    const { asked, said, outcome } = greet(
      () => ({ client: 'Grandine' }),
      () => ({ ownStatus: () => null }),
    );
    expect([asked, said]).toEqual([['0 identify', '0 metadata'], []]);
    expect(outcome).toMatchObject({
      ok: true,
      value: { status: null, agent: AGENT, missing: [] },
    });
  });
});

describe('a Nimbus, which tells its Status on every connection', () => {
  const own = { ...status(), headSlot: 7 };
  /** It is known from the moment at which it tells. */
  const telling = (toldMs: number, changed: Partial<LinkBehaviour> = {}) => {
    let isKnown = false;
    return greet(
      ({ scheduler }) => ({
        client: 'Nimbus',
        told$: of(status()).pipe(
          delay(toldMs, scheduler),
          tap(() => {
            isKnown = true;
          }),
        ),
        ...changed,
      }),
      () => ({ knowsHead: () => isKnown, ownStatus: () => (isKnown ? own : status()) }),
    );
  };

  it('is waited for, and told its own head', () => {
    const { asked, said } = telling(300);
    expect(asked).toEqual(['0 identify', '300 status', '300 metadata']);
    expect(said).toEqual([own]);
  });

  it('is waited for no longer than two seconds', () => {
    const { asked, said } = telling(TOLD_WITHIN_MS + 1);
    expect(asked[1]).toBe(`${TOLD_WITHIN_MS} status`);
    expect(said).toEqual([status()]);
  });

  it('is not waited for when it closes', () => {
    const { asked } = telling(1_000, { closed$: of(failure('identify', 'eof')) });
    expect(asked).toContain('0 status');
  });

  it('is not waited for when its head is known', () => {
    const { asked } = greet(
      () => ({ client: 'Nimbus' }),
      () => ({ knowsHead: () => true }),
    );
    expect(asked).toEqual(['0 identify', '0 status', '0 metadata']);
  });

  it.each(['Lighthouse', 'Prysm', 'Teku', 'Lodestar', 'Caplin'] as const)(
    'unlike a %s, which waits for us',
    (client) => {
      const { asked } = greet(
        () => ({ client }),
        () => ({ knowsHead: () => false }),
      );
      expect(asked[1]).toBe('0 status');
    },
  );
});
