import { map, NEVER, type Observable, of, throwError, timer } from 'rxjs';
import { describe, expect, it, vi } from 'vitest';
import { mayContact } from '../../src/consensus/address-policy.ts';
import { failed, failure, success } from '../../src/consensus/failure.ts';
import { type HandshakeOptions, handshake } from '../../src/streams/handshake.ts';
import type { PeerLink } from '../../src/streams/ports/peer-link.ts';
import type { ConnectedVisit, GreetedVisit, VisitOutcome } from '../../src/streams/visit.ts';
import { AGENT, connectedVisit, type FakeLink, fakeLink, inWords, META_DATA, status } from '../support/streams/link.ts';
import { type Marbles, marbles } from '../support/streams/marbles.ts';
import { DIGEST, NETWORK, OTHER_DIGEST } from '../support/streams/network.ts';

const TIMEOUT_MS = 8;

interface Greeting {
  readonly outcome: VisitOutcome<GreetedVisit>;
  readonly atMs: number;
}

/** Greets one peer, and tells how it came out and when. */
function greet(
  visit: (helpers: Marbles) => ConnectedVisit,
  changed: (helpers: Marbles) => Partial<HandshakeOptions> = () => ({}),
): Greeting {
  const greetings: Greeting[] = [];
  marbles((helpers) => {
    const stage = handshake({
      concurrency: 1,
      maxWaiting: 0,
      timeoutMs: TIMEOUT_MS,
      scheduler: helpers.scheduler,
      ownStatus: () => status(),
      acceptedDigests: () => new Set([DIGEST]),
      ...changed(helpers),
    });
    of(visit(helpers))
      .pipe(stage)
      .subscribe((outcome) => greetings.push({ outcome, atMs: helpers.scheduler.now() }));
    helpers.flush();
  });
  expect(greetings).toHaveLength(1);
  return greetings[0] as Greeting;
}

function value({ outcome }: Greeting): GreetedVisit {
  if (!outcome.ok) throw new Error(inWords(outcome));
  return outcome.value;
}

const inbound = (behaviour: Parameters<typeof fakeLink>[0] = {}, address = '/ip4/8.8.4.4/tcp/50123'): FakeLink => ({
  ...fakeLink({ direction: 'inbound', ...behaviour }),
  address,
});

describe('the record of a peer that dialled us', () => {
  const find = (answer: (helpers: Marbles) => Observable<string | null>, link: Parameters<typeof fakeLink>[0] = {}) =>
    greet(
      () => connectedVisit(inbound(link)),
      (helpers) => ({ findRecord: () => answer(helpers) }),
    );

  it('is looked for while the handshake goes on, and by its peer id', () => {
    const findRecord = vi.fn(() => of('enr:found'));
    const greeting = greet(
      () => connectedVisit(inbound({ peerId: 'b' })),
      () => ({ findRecord }),
    );
    expect(findRecord.mock.calls).toEqual([['b']]);
    expect(value(greeting).enr).toBe('enr:found');
  });

  it.each<[string, (helpers: Marbles) => Observable<string | null>, string | null, number]>([
    ['comes in time', ({ cold }) => cold<string>('---e|', { e: 'enr:e' }), 'enr:e', 3],
    ['is nowhere', ({ cold }) => cold<null>('--n|', { n: null }), null, 2],
    ['comes too late', ({ scheduler }) => timer(TIMEOUT_MS + 5, scheduler).pipe(map(() => 'enr:e')), null, TIMEOUT_MS],
    ['never comes', () => NEVER, null, TIMEOUT_MS],
    ['cannot be looked for', () => throwError(() => new Error('broken')), null, 0],
  ])('%s', (_, answer, enr, atMs) => {
    const greeting = find(answer);
    expect(value(greeting)).toMatchObject({ enr, agent: AGENT, metaData: META_DATA, missing: [] });
    expect(greeting.atMs).toBe(atMs);
  });

  it('is not waited for when the peer has gone', () => {
    const greeting = greet(
      ({ cold }) => connectedVisit(inbound({ closed$: cold('---c', { c: failure('identify', 'too_many_peers') }) })),
      () => ({ findRecord: () => NEVER }),
    );
    expect(value(greeting)).toMatchObject({ enr: null, agent: AGENT, metaData: META_DATA, missing: [] });
    expect(greeting.atMs).toBe(3);
  });

  it('is not looked for when it is known', () => {
    const findRecord = vi.fn(() => of('enr:other'));
    const greeting = greet(
      () => ({ ...connectedVisit(inbound()), enr: 'enr:known' }),
      () => ({ findRecord }),
    );
    expect(value(greeting).enr).toBe('enr:known');
    expect(findRecord).not.toHaveBeenCalled();
  });
});

describe('where a peer that dialled us listens', () => {
  const PUBLIC = { ...NETWORK, isPublic: true, dialsAnyAddress: false };

  function listensAt(claimed: readonly string[], direction: PeerLink['direction'] = 'inbound'): string | null {
    const identity$ = of(success({ agent: AGENT, listenAddresses: [...claimed] }));
    const greeting = greet(
      () => connectedVisit(inbound({ direction, identity$ })),
      () => ({ mayContact: (ip) => mayContact(PUBLIC, ip) }),
    );
    return value(greeting).listenAddress ?? null;
  }

  it.each<[string, readonly string[], string | null]>([
    [
      'is the address that the connection bears out, wherever it stands',
      ['/ip4/1.1.1.1/tcp/9000', '/ip4/8.8.4.4/tcp/9001', '/ip4/8.8.4.4/udp/9002/quic-v1'],
      '/ip4/8.8.4.4/tcp/9001',
    ],
    ['is else the first that may be dialled', ['/ip4/1.1.1.1/tcp/9000', '/ip4/9.9.9.9/tcp/9'], '/ip4/1.1.1.1/tcp/9000'],
    [
      'is none that is private',
      ['/ip4/127.0.0.1/tcp/9000', '/ip4/192.168.1.2/tcp/9000', '/ip6/::1/tcp/9000', '/ip4/0.0.0.0/tcp/9000'],
      null,
    ],
    ['is public though private ones come first', ['/ip4/10.0.0.9/tcp/1', '/ip4/1.1.1.1/tcp/2'], '/ip4/1.1.1.1/tcp/2'],
    ['is told without its peer id', [`/ip4/8.8.4.4/tcp/9001/p2p/${'Q'.repeat(9)}`], '/ip4/8.8.4.4/tcp/9001'],
    ['is not the relay it is behind', ['/ip4/1.1.1.1/tcp/4001/p2p/QmRelay/p2p-circuit'], null],
    ['is not a name', ['/dns4/example.org/tcp/9000'], null],
    ['is not said', [], null],
  ])('%s', (_, claimed, expected) => {
    expect(listensAt(claimed)).toBe(expected);
  });

  it('is of no interest when we dialled it', () => {
    expect(listensAt(['/ip4/8.8.4.4/tcp/9001'], 'outbound')).toBeNull();
  });

  it('is not known when identify fails', () => {
    const greeting = greet(() => connectedVisit(inbound({ identity$: of(failed('identify', 'eof')) })));
    expect(value(greeting).listenAddress).toBeNull();
  });
});

describe('a Status', () => {
  const headAt = (headSlot: number, forkDigest = DIGEST) => of(success({ ...status(forkDigest), headSlot }));

  function heard(status$: ReturnType<typeof headAt> | Observable<never>, currentSlot = 1_000) {
    const [onStatus, onHead] = [vi.fn(), vi.fn()];
    const greeting = greet(
      () => connectedVisit(fakeLink({ status$ })),
      () => ({ onStatus, onHead, currentSlot: () => currentSlot }),
    );
    return { greeting, told: onStatus.mock.calls, heads: onHead.mock.calls };
  }

  it('of our network is passed on with who sent it', () => {
    const { greeting, told } = heard(headAt(990));
    expect(told).toEqual([['a', { ...status(), headSlot: 990 }]]);
    expect(value(greeting).status?.headSlot).toBe(990);
  });

  it.each([
    ['of another fork', headAt(990, OTHER_DIGEST)],
    ['that never came', NEVER],
  ])('%s is not', (_, status$) => {
    expect(heard(status$).told).toEqual([]);
  });

  it.each([
    [1_032, true],
    [1_033, false],
    [2 ** 40, false],
  ])('with a head at slot %d in slot 1000 is believed: %s', (headSlot, believed) => {
    const { greeting, told, heads } = heard(headAt(headSlot));
    expect(told).toHaveLength(believed ? 1 : 0);
    // It may be our clock that is wrong.
    expect(heads).toEqual([['a', headSlot]]);
    const { status: theirs, metaData, missing } = value(greeting);
    expect(theirs?.headSlot).toBe(believed ? headSlot : undefined);
    expect(missing.map(({ stage, cause }) => `${stage} ${cause}`)).toEqual(believed ? [] : ['status bad_response']);
    // What else it says is another matter.
    expect(metaData).toEqual(META_DATA);
  });
});
