import type { Identify } from '@libp2p/identify';
import type { Connection } from '@libp2p/interface';
import { defer, firstValueFrom, type Observable, race, type SchedulerLike, tap, timer } from 'rxjs';
import {
  decodeMetaData,
  decodeStatus,
  encodeStatus,
  METADATA_BYTES,
  type MetaData,
  type MetaDataVersion,
  STATUS_BYTES,
  type Status,
  type StatusVersion,
} from '../../../consensus/containers.ts';
import type { Transport } from '../../../consensus/events.ts';
import { type Failure, type Outcome, success } from '../../../consensus/failure.ts';
import { goodbyeOf } from '../../../consensus/manners/goodbye.ts';
import type { MannersLedger } from '../../../consensus/manners/ledger.ts';
import { fromAbortable } from '../../../streams/flow/from-abortable.ts';
import type { Identity, PeerLink } from '../../../streams/ports/peer-link.ts';
import type { Logger } from '../../logging/logger.ts';
import { type Answer, request } from '../reqresp/client.ts';
import { METADATA_PROTOCOLS, STATUS_PROTOCOLS } from '../reqresp/protocols.ts';
import type { Claims } from './claims.ts';
import { end } from './end.ts';
import { failureOf } from './failure-of.ts';
import type { KnownClients } from './known-clients.ts';
import { type LeaveOptions, leave } from './leave.ts';
import { politely } from './polite.ts';
import type { SubscriptionBook } from './subscription-book.ts';

export interface LinkContext {
  readonly identify: Identify;
  readonly book: Pick<SubscriptionBook, 'of' | 'standing'>;
  readonly closed$: Observable<Failure>;
  /** What the peer tells of its chain with its own questions. */
  readonly told$: Observable<Status>;
  readonly ledger: MannersLedger;
  readonly clients: KnownClients;
  readonly claims: Claims;
  readonly logger: Logger;
  readonly scheduler: SchedulerLike;
}

/** A peer that has answered us asks its own next question within so many times what its slowest answer took. */
const QUIET_ANSWERS = 2;
const MAX_QUIET_MS = 2_000;

const quietMsAfter = (slowestAnswerMs: number) => Math.min(MAX_QUIET_MS, QUIET_ANSWERS * slowestAnswerMs);

/** A stranger's agent string is cut to this. */
const MAX_AGENT_LENGTH = 256;
const MAX_LISTEN_ADDRESSES = 32;

/** A libp2p connection as the streams see it. It is claimed until it is left. */
export function createLink(connection: Connection, context: LinkContext): PeerLink {
  const { identify, book, closed$, told$, ledger, clients, claims, logger, scheduler } = context;
  const peerId = connection.remotePeer.toString();
  const polite = { peerId, ledger, scheduler };
  let identity: Outcome<Identity> | null = null;
  let hasLeft = false;
  let slowestAnswerMs = 0;
  claims.claim(connection);

  /** Who has said who it is need not say it again. */
  async function identified(signal: AbortSignal): Promise<Outcome<Identity>> {
    if (identity?.ok) return identity;
    identity = await askIdentity(identify, connection, signal);
    if (identity.ok) clients.note(peerId, identity.value.agent);
    return identity;
  }

  function timed<T>(ask: (signal: AbortSignal) => Promise<T>): Observable<T> {
    return defer(() => {
      const startMs = scheduler.now();
      const note = () => {
        slowestAnswerMs = Math.max(slowestAnswerMs, scheduler.now() - startMs);
      };
      return fromAbortable(ask).pipe(tap(note));
    });
  }

  const link: PeerLink = {
    peerId,
    address: connection.remoteAddr.decapsulateCode(P2P_CODE).toString(),
    direction: connection.direction,
    transport: transportOf(connection),
    client: () => clients.clientOf(peerId),
    openedMs: connection.timeline.open,
    identify: () => timed(identified),
    status: (own) =>
      politely(() => timed((signal) => askStatus(connection, own, signal)), { ...polite, asked: 'status' }),
    metaData: () =>
      politely(() => timed((signal) => askMetaData(connection, signal)), { ...polite, asked: 'metadata' }),
    subscriptions$: book.of(peerId),
    closed$,
    told$,
    again: (nowMs) => ({ ...link, openedMs: nowMs, subscriptions$: book.standing(peerId, nowMs) }),
    leave(leaving, { isDialable } = { isDialable: connection.direction === 'outbound' }) {
      if (hasLeft) return;
      hasLeft = true;
      if (leaving === 'unheard') claims.spoil(connection);
      if (!claims.release(connection)) return;
      logger.trace({ peerId, leaving }, 'leaving a connection');
      void depart(connection, { isDialable, quietMs: quietMsAfter(slowestAnswerMs) }, context);
    },
  };
  return link;
}

/**
 * Ends a connection unless somebody claims it meanwhile, with the Goodbye that its client gains by, if it may be told one now.
 */
async function depart(
  connection: Connection,
  { isDialable, quietMs }: { readonly isDialable: boolean; readonly quietMs: number },
  context: LinkContext,
): Promise<void> {
  const { claims } = context;
  await leave(connection, {
    ...farewellOf(connection, isDialable, context),
    quietMs,
    staysFor: () => !claims.giveUp(connection),
  });
}

/** Ends a connection whoever uses it: within `limitMs`, or twice that if it is being left already. */
export async function departWithin(limitMs: number, connection: Connection, context: LinkContext): Promise<void> {
  const { claims, closed$, scheduler } = context;
  const isDialable = connection.direction === 'outbound';
  let isLeftAlready = false;
  await leave(connection, {
    ...farewellOf(connection, isDialable, context),
    patienceMs: limitMs / 4,
    limitMs,
    staysFor() {
      isLeftAlready = claims.isGivenUp(connection);
      return isLeftAlready;
    },
  });
  if (!isLeftAlready) return;
  // Its Goodbye is on its way, which an end of ours would cut off.
  await firstValueFrom(race(closed$, timer(limitMs, scheduler)));
  end(connection);
}

function farewellOf(
  connection: Connection,
  isDialable: boolean,
  { closed$, ledger, clients, logger, scheduler }: LinkContext,
): LeaveOptions {
  const peerId = connection.remotePeer.toString();
  return {
    goodbye() {
      const wanted = goodbyeOf({ client: clients.clientOf(peerId), isDialable });
      return wanted !== null && ledger.tryAsk(peerId, 'goodbye', scheduler.now()) ? wanted : null;
    },
    closed$,
    scheduler,
    onProblem: (error) => logger.trace({ peerId, err: error }, 'a connection was not left as it should be'),
  };
}

/** Multicodec of `/p2p`. */
const P2P_CODE = 421;

function transportOf({ remoteAddr }: Connection): Transport {
  return remoteAddr.protoNames().includes('quic-v1') ? 'quic' : 'tcp';
}

async function askIdentity(
  identify: Identify,
  connection: Connection,
  signal: AbortSignal,
): Promise<Outcome<Identity>> {
  try {
    const { agentVersion = '', listenAddrs } = await identify.identify(connection, { signal });
    return success({
      agent: agentVersion.replace(/[^\x20-\x7e]/g, '?').slice(0, MAX_AGENT_LENGTH),
      listenAddresses: listenAddrs.slice(0, MAX_LISTEN_ADDRESSES).map((address) => address.toString()),
    });
  } catch (error) {
    return { ok: false, failure: failureOf('identify', error) };
  }
}

async function askStatus(connection: Connection, own: Status, signal: AbortSignal): Promise<Outcome<Status>> {
  const version = (protocol: string): StatusVersion => STATUS_PROTOCOLS.get(protocol) ?? 2;
  const answer = await request(
    connection,
    {
      stage: 'status',
      protocols: [...STATUS_PROTOCOLS.keys()],
      body: (protocol) => encodeStatus(own, version(protocol)),
      answerBytes: (protocol) => STATUS_BYTES[version(protocol)],
    },
    signal,
  );
  return decoded(answer, ({ bytes, protocol }) => decodeStatus(bytes, version(protocol)));
}

async function askMetaData(connection: Connection, signal: AbortSignal): Promise<Outcome<MetaData>> {
  const version = (protocol: string): MetaDataVersion => METADATA_PROTOCOLS.get(protocol) ?? 3;
  const answer = await request(
    connection,
    {
      stage: 'metadata',
      protocols: [...METADATA_PROTOCOLS.keys()],
      body: () => new Uint8Array(0),
      answerBytes: (protocol) => METADATA_BYTES[version(protocol)],
    },
    signal,
  );
  return decoded(answer, ({ bytes, protocol }) => decodeMetaData(bytes, version(protocol)));
}

function decoded<T>(answer: Outcome<Answer>, decode: (answer: Answer) => Outcome<T>): Outcome<T> {
  return answer.ok ? decode(answer.value) : answer;
}
