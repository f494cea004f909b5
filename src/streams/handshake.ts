import { combineLatest, concatMap, map, type Observable, of, race, shareReplay, take, tap, timer } from 'rxjs';
import { ipOfMultiaddr } from '../consensus/address-policy.ts';
import type { Client } from '../consensus/client.ts';
import type { MetaData, Status } from '../consensus/containers.ts';
import { failed, failure, type Outcome, success, type Stage as VisitStage } from '../consensus/failure.ts';
import type { StageLimits } from './dial.ts';
import { answerWithin } from './flow/answer-within.ts';
import { mergeBounded } from './flow/merge-bounded.ts';
import type { Identity, PeerLink } from './ports/peer-link.ts';
import {
  type ConnectedVisit,
  type GreetedVisit,
  type Stage,
  type VisitOutcome,
  visitFailed,
  visitSucceeded,
} from './visit.ts';

export interface HandshakeOptions extends StageLimits {
  /** What a peer is told of our own chain, now; `null` for nothing. */
  readonly ownStatus: (peerId: string, client: Client) => Status | null;
  /** Whether the peer's own head is known. Always, if not given. */
  readonly knowsHead?: (peerId: string) => boolean;
  /** Digests that count as our network, now. */
  readonly acceptedDigests: () => ReadonlySet<string>;
  /** Told of each Status of our network. */
  readonly onStatus?: (peerId: string, status: Status) => void;
  /** The record of a peer that dialled us and is not known, asked over discv5; `null` when nobody has it. */
  readonly findRecord?: (peerId: string) => Observable<string | null>;
  /** By the clock; a Status with a head far beyond it is not believed. */
  readonly currentSlot?: () => number;
  /** Hears the slot of the head that a peer tells, believable or not. */
  readonly onHead?: (peerId: string, headSlot: number) => void;
  /** Whether an address that a peer claims to listen on may be believed to be dialable. */
  readonly mayContact?: (ip: string) => boolean;
}

/**
 * Exchanges identify, Status and then MetaData. Only a peer on another fork fails here: of all others what was learnt is
 * passed on with what is missing, since a peer that sent nothing but its subscriptions has still been observed.
 */
export function handshake(options: HandshakeOptions): Stage<ConnectedVisit, GreetedVisit> {
  return mergeBounded((visit) => greet(visit, options), {
    ...options,
    onOverflow: (visit) => {
      visit.link.leave('given-up');
      return visitFailed(visit, failure('status', 'resource_limited'));
    },
  });
}

function greet(visit: ConnectedVisit, options: HandshakeOptions): Observable<VisitOutcome<GreetedVisit>> {
  const { link } = visit;
  const identity$ = ask(() => link.identify(), link, 'identify', options).pipe(shareReplay(1));
  // What a client is told depends on which it is; who is not known is asked that first.
  const known$ = link.client() === 'unknown' ? identity$.pipe(map(() => null)) : of(null);
  const exchange$ = known$.pipe(concatMap(() => exchange(link, options)));

  return combineLatest([identity$, exchange$, recordOf(visit, options)]).pipe(
    map(([identity, { status, foreignDigest, metaData }, enr]) => {
      const agent = identity.ok ? identity.value.agent : null;
      if (foreignDigest !== null) {
        link.leave('foreign-fork');
        return visitFailed(visit, failure('status', 'wrong_fork', `fork digest ${foreignDigest}`), agent);
      }
      return visitSucceeded({
        ...visit,
        enr,
        listenAddress: identity.ok ? listenAddress(link, identity.value, options) : null,
        agent,
        status: learnt(status),
        metaData: learnt(metaData),
        missing: [identity, status, metaData].flatMap((outcome) =>
          outcome === null || outcome.ok ? [] : [outcome.failure],
        ),
      });
    }),
  );
}

interface Exchanged {
  /** `null` when it was not asked for: there was nothing that we could say of our chain without harm. */
  readonly status: Outcome<Status> | null;
  /** The digest of a network that is not ours, if that is what it told. */
  readonly foreignDigest: string | null;
  readonly metaData: Outcome<MetaData>;
}

/** Status, then MetaData; nothing more of a peer on another fork. */
function exchange(link: PeerLink, options: HandshakeOptions): Observable<Exchanged> {
  return askStatus(link, options).pipe(
    tap((status) => {
      if (status?.ok) options.onHead?.(link.peerId, status.value.headSlot);
    }),
    map((status) => believable(status, options)),
    concatMap((status) => {
      // Judged once: the accepted digests may change before the visit ends.
      const digest = learnt(status)?.forkDigest ?? null;
      if (digest !== null && !options.acceptedDigests().has(digest)) {
        return of({ status, foreignDigest: digest, metaData: failed<MetaData>('metadata', 'cancelled') });
      }
      if (status?.ok) options.onStatus?.(link.peerId, status.value);
      return ask(() => link.metaData(), link, 'metadata', options).pipe(
        map((metaData) => ({ status, foreignDigest: null, metaData })),
      );
    }),
  );
}

/** Nimbus tells its Status on every connection at once, and a head that it does not have it would ask us for. */
const TELLS_UNASKED: readonly Client[] = ['Nimbus'];
const TOLD_WITHIN_MS = 2_000;

function askStatus(link: PeerLink, options: HandshakeOptions): Observable<Outcome<Status> | null> {
  const { ownStatus, knowsHead = () => true, scheduler } = options;
  const { peerId } = link;
  const isTold = !TELLS_UNASKED.includes(link.client()) || knowsHead(peerId);
  const told$: Observable<unknown> = isTold
    ? of(null)
    : race<unknown[]>(link.told$, timer(TOLD_WITHIN_MS, scheduler), link.closed$).pipe(take(1));
  return told$.pipe(
    concatMap(() => {
      const own = ownStatus(peerId, link.client());
      return own === null ? of(null) : ask(() => link.status(own), link, 'status', options);
    }),
  );
}

/** Clocks differ by a slot or two; nobody has a block of the far future. */
const HEAD_TOLERANCE_SLOTS = 32;

function believable(status: Outcome<Status> | null, { currentSlot }: HandshakeOptions): Outcome<Status> | null {
  if (!status?.ok || currentSlot === undefined) return status;
  const { headSlot } = status.value;
  if (headSlot <= currentSlot() + HEAD_TOLERANCE_SLOTS) return status;
  return failed('status', 'bad_response', `claims a head at slot ${headSlot}`);
}

/** What discovery knows of the peer, or finds out while the handshake goes on. */
function recordOf(
  { enr, peerId, link, isFurtherLook = false }: ConnectedVisit,
  { findRecord, ...limits }: HandshakeOptions,
): Observable<string | null> {
  if (enr !== null || findRecord === undefined || isFurtherLook) return of(enr);
  const found$ = answerWithin(() => findRecord(peerId).pipe(map(success)), { ...limits, stage: 'resolve' });
  return race(found$, link.closed$.pipe(map(() => failed<string | null>('resolve', 'eof')))).pipe(
    take(1),
    map((found) => learnt(found)),
  );
}

/** Where a peer that dialled us listens: the source of its connection is a port of the moment. */
function listenAddress(
  { address, direction }: PeerLink,
  { listenAddresses }: Identity,
  { mayContact = () => true }: HandshakeOptions,
): string | null {
  if (direction === 'outbound') return null;
  const ours = listenAddresses
    // Behind a relay the address is the relay's.
    .filter((claimed) => !claimed.includes('/p2p-circuit'))
    .map((claimed) => claimed.replace(/\/p2p\/.*$/, ''))
    .filter((claimed) => {
      const ip = ipOfMultiaddr(claimed);
      return ip !== null && mayContact(ip);
    });
  // An address that the connection bears out is better than one that is only claimed.
  return ours.find((claimed) => ipOfMultiaddr(claimed) === ipOfMultiaddr(address)) ?? ours[0] ?? null;
}

/** One answer of the peer, its closing of the connection, or the end of our patience, whichever comes first. */
function ask<T>(
  question: () => Observable<Outcome<T>>,
  link: PeerLink,
  stage: VisitStage,
  limits: StageLimits,
): Observable<Outcome<T>> {
  const closed$ = link.closed$.pipe(map(({ cause, detail }) => failed<T>(stage, cause, detail)));
  return answerWithin(() => race(question(), closed$), { ...limits, stage });
}

function learnt<T>(outcome: Outcome<T> | null): T | null {
  return outcome?.ok ? outcome.value : null;
}
