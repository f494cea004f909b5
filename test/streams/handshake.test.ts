import { map, NEVER, type Observable, ReplaySubject, tap } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { failed, failure, success } from '../../src/consensus/failure.ts';
import { createDepth } from '../../src/streams/flow/merge-bounded.ts';
import { type HandshakeOptions, handshake } from '../../src/streams/handshake.ts';
import type { GreetedVisit, VisitOutcome } from '../../src/streams/visit.ts';
import {
  AGENT,
  connectedVisit,
  type FakeLink,
  fakeLink,
  inWords,
  type LinkBehaviour,
  META_DATA,
  status,
} from '../support/streams/link.ts';
import { type Marbles, marbles } from '../support/streams/marbles.ts';
import { DIGEST, OTHER_DIGEST } from '../support/streams/network.ts';

const TIMEOUT_MS = 8;
const identity = success({ agent: AGENT, listenAddresses: [] });

function options({ scheduler }: Marbles, changed: Partial<HandshakeOptions> = {}): HandshakeOptions {
  return {
    concurrency: 4,
    maxWaiting: 4,
    timeoutMs: TIMEOUT_MS,
    scheduler,
    ownStatus: () => status(),
    acceptedDigests: () => new Set([DIGEST]),
    ...changed,
  };
}

interface Greeting {
  readonly link: FakeLink;
  readonly outcome: VisitOutcome<GreetedVisit> | undefined;
  readonly atMs: number;
}

/** Greets one peer, and tells how it came out and when. */
function greet(
  behaviour: (helpers: Marbles) => Partial<LinkBehaviour>,
  changed: Partial<HandshakeOptions> = {},
): Greeting {
  const greetings: Greeting[] = [];
  marbles((helpers) => {
    const link = fakeLink(behaviour(helpers));
    let outcome: VisitOutcome<GreetedVisit> | undefined;
    let atMs = Number.NaN;
    helpers
      .cold('a|', { a: connectedVisit(link) })
      .pipe(handshake(options(helpers, changed)))
      .subscribe((result) => {
        expect(outcome).toBeUndefined();
        outcome = result;
        atMs = helpers.scheduler.now();
      });
    helpers.flush();
    greetings.push({ link, outcome, atMs });
  });
  const [greeting] = greetings;
  if (greeting === undefined) throw new Error('nobody was greeted');
  return greeting;
}

/** What was obtained, and what was asked for in vain. */
function learnt({ outcome }: Greeting): unknown {
  if (outcome === undefined || !outcome.ok) return outcome && inWords(outcome);
  const { agent, status: theirs, metaData, missing } = outcome.value;
  return {
    agent,
    status: theirs?.forkDigest ?? null,
    metaData: metaData?.seqNumber ?? null,
    missing: missing.map(({ stage, cause }) => `${stage} ${cause}`),
  };
}

/** A connection tells of its end whenever it is asked. */
function replaying<T>(source: Observable<T>): Observable<T> {
  const replay = new ReplaySubject<T>(1);
  source.subscribe((value) => replay.next(value));
  return replay;
}

describe('handshake', () => {
  it('asks for identity and Status at once, and for MetaData once the Status is there', () => {
    const askedAt: string[] = [];
    const greeting = greet(({ cold, scheduler }) => {
      const note = <T>(name: string) => tap<T>({ subscribe: () => askedAt.push(`${scheduler.now()} ${name}`) });
      return {
        identity$: cold('-----i|', { i: identity }).pipe(note('identify')),
        status$: cold('--s|', { s: success(status()) }).pipe(note('status')),
        metaData$: cold('-m|', { m: success(META_DATA) }).pipe(note('metadata')),
      };
    });
    expect(askedAt).toEqual(['0 identify', '0 status', '2 metadata']);
    expect(greeting.atMs).toBe(5);
    expect(learnt(greeting)).toEqual({ agent: AGENT, status: DIGEST, metaData: 7, missing: [] });
    expect(greeting.link.leavings).toEqual([]);
  });

  it('hands on who it is, under which lease, and the connection', () => {
    const { outcome, link } = greet(() => ({ peerId: 'x' }));
    expect(outcome).toMatchObject({ ok: true, value: { peerId: 'x', lease: 1, enr: null, link } });
  });

  it('says what it is to the peer', () => {
    const own = status('aabbccdd');
    const told: unknown[] = [];
    marbles((helpers) => {
      const link = fakeLink();
      const listening = {
        ...link,
        status: (said: unknown) => {
          told.push(said);
          return link.status(own);
        },
      };
      helpers
        .cold('a|', { a: connectedVisit(listening) })
        .pipe(handshake(options(helpers, { ownStatus: () => own })))
        .subscribe();
      helpers.flush();
    });
    expect(told).toEqual([own]);
  });

  it('leaves a peer on another fork, and never asks it for MetaData', () => {
    const greeting = greet(({ cold }) => ({
      identity$: cold('---i|', { i: identity }),
      status$: cold('-s|', { s: success(status(OTHER_DIGEST)) }),
    }));
    expect(learnt(greeting)).toBe('a status wrong_fork');
    expect(greeting.outcome).toMatchObject({
      value: { agent: AGENT, failure: { detail: `fork digest ${OTHER_DIGEST}` } },
    });
    expect(greeting.link.asked).toEqual(['identify', 'status']);
    expect(greeting.link.leavings).toEqual(['foreign-fork']);
  });

  it('judges the fork once, although what is accepted changes before the visit ends', () => {
    let asked = 0;
    const greeting = greet(({ cold }) => ({ identity$: cold('-----i|', { i: identity }) }), {
      acceptedDigests: () => new Set(asked++ === 0 ? [DIGEST] : []),
    });
    expect(learnt(greeting)).toEqual({ agent: AGENT, status: DIGEST, metaData: 7, missing: [] });
  });

  it.each<[string, (helpers: Marbles) => Partial<LinkBehaviour>, object, number]>([
    [
      'no Status comes',
      () => ({ status$: NEVER }),
      { agent: AGENT, status: null, metaData: 7, missing: ['status timeout'] },
      TIMEOUT_MS,
    ],
    [
      'Status is not spoken',
      ({ cold }) => ({ status$: cold('-f|', { f: failed('status', 'protocol_unsupported') }) }),
      { agent: AGENT, status: null, metaData: 7, missing: ['status protocol_unsupported'] },
      1,
    ],
    [
      'no MetaData comes',
      ({ cold }) => ({ status$: cold('---s|', { s: success(status()) }), metaData$: NEVER }),
      { agent: AGENT, status: DIGEST, metaData: null, missing: ['metadata timeout'] },
      3 + TIMEOUT_MS,
    ],
    [
      'identify fails',
      ({ cold }) => ({ identity$: cold('--f|', { f: failed('identify', 'bad_response') }) }),
      { agent: null, status: DIGEST, metaData: 7, missing: ['identify bad_response'] },
      2,
    ],
    [
      'nothing comes',
      () => ({ identity$: NEVER, status$: NEVER, metaData$: NEVER }),
      {
        agent: null,
        status: null,
        metaData: null,
        missing: ['identify timeout', 'status timeout', 'metadata timeout'],
      },
      2 * TIMEOUT_MS,
    ],
    [
      'every request errors',
      ({ cold }) => ({ identity$: cold('#'), status$: cold('-#'), metaData$: cold('-#') }),
      {
        agent: null,
        status: null,
        metaData: null,
        missing: ['identify unknown', 'status unknown', 'metadata unknown'],
      },
      2,
    ],
    [
      'requests end without an answer',
      ({ cold }) => ({ identity$: cold('|'), status$: cold('|'), metaData$: cold('|') }),
      {
        agent: null,
        status: null,
        metaData: null,
        missing: ['identify unknown', 'status unknown', 'metadata unknown'],
      },
      0,
    ],
  ])('passes on what was learnt and what is missing when %s', (_, behaviour, expected, atMs) => {
    const greeting = greet(behaviour);
    expect(learnt(greeting)).toEqual(expected);
    expect(greeting.atMs).toBe(atMs);
    expect(greeting.link.leavings).toEqual([]);
  });

  const closing = failure('identify', 'too_many_peers', 'goodbye 129');
  it.each<[string, string, object, number]>([
    [
      'before anything',
      '(c|)',
      {
        agent: null,
        status: null,
        metaData: null,
        missing: ['identify too_many_peers', 'status too_many_peers', 'metadata too_many_peers'],
      },
      0,
    ],
    [
      'while Status is asked for',
      '-c|',
      {
        agent: null,
        status: null,
        metaData: null,
        missing: ['identify too_many_peers', 'status too_many_peers', 'metadata too_many_peers'],
      },
      1,
    ],
    [
      'while MetaData is asked for',
      '---c|',
      { agent: null, status: DIGEST, metaData: null, missing: ['identify too_many_peers', 'metadata too_many_peers'] },
      3,
    ],
    [
      'while identify alone is out',
      '-----c|',
      { agent: null, status: DIGEST, metaData: 7, missing: ['identify too_many_peers'] },
      5,
    ],
    ['after everything', '-------c|', { agent: AGENT, status: DIGEST, metaData: 7, missing: [] }, 6],
  ])('does not wait for a peer that closes %s', (_, closes, expected, atMs) => {
    const greeting = greet(({ cold, hot }) => {
      const replayed = { c: closing };
      return {
        identity$: cold('------i|', { i: identity }),
        status$: cold('--s|', { s: success(status()) }),
        metaData$: cold('--m|', { m: success(META_DATA) }),
        closed$: closes.startsWith('(') ? cold(closes, replayed) : replaying(hot(closes, replayed)),
      };
    });
    expect(learnt(greeting)).toEqual(expected);
    expect(greeting.atMs).toBe(atMs);
  });

  it('turns away what finds every place taken, and leaves it', () => {
    const depth = createDepth();
    const links = ['a', 'b', 'c'].map((peerId) => fakeLink({ peerId, status$: NEVER, metaData$: NEVER }));
    const [a, b, c] = links.map(connectedVisit);
    marbles((helpers) => {
      const stage = handshake(options(helpers, { concurrency: 1, maxWaiting: 1, depth }));
      const outcomes$ = helpers
        .cold('(abc)', { a, b, c } as Record<string, ReturnType<typeof connectedVisit>>)
        .pipe(stage, map(inWords));
      helpers
        .expectObservable(outcomes$, '99ms !')
        .toBe('c 15ms a 15ms b', { a: 'a ok', b: 'b ok', c: 'c status resource_limited' });
      helpers.flush();
    });
    expect(links.map(({ leavings }) => leavings)).toEqual([[], [], ['given-up']]);
    expect(depth.overflowed).toBe(1);
  });

  it('errors when what it says of itself cannot be made: then the program is wrong', () => {
    marbles((helpers) => {
      const broken = options(helpers, {
        ownStatus: () => {
          throw new Error('no forks');
        },
      });
      const outcomes$ = helpers.cold('a', { a: connectedVisit(fakeLink()) }).pipe(handshake(broken));
      helpers.expectObservable(outcomes$).toBe('#', undefined, new Error('no forks'));
    });
  });
});
