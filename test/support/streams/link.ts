import { concat, NEVER, type Observable, of, ReplaySubject } from 'rxjs';
import type { Client } from '../../../src/consensus/client.ts';
import type { MetaData, Status } from '../../../src/consensus/containers.ts';
import { type Failure, type Outcome, success } from '../../../src/consensus/failure.ts';
import type { Leaving } from '../../../src/consensus/manners/goodbye.ts';
import type { Identity, PeerLink, SubscriptionRpc } from '../../../src/streams/ports/peer-link.ts';
import type { ConnectedVisit, DueVisit, VisitOutcome } from '../../../src/streams/visit.ts';
import { DIGEST } from './network.ts';

export const AGENT = 'Lighthouse/v8.0.0';
export const META_DATA: MetaData = {
  seqNumber: 7,
  attnets: Uint8Array.of(3, 0, 0, 0, 0, 0, 0, 0),
  syncnets: Uint8Array.of(0),
  custodyGroupCount: 4,
};

export function status(forkDigest = DIGEST): Status {
  return {
    forkDigest,
    finalizedRoot: '00'.repeat(32),
    finalizedEpoch: 1,
    headRoot: '11'.repeat(32),
    headSlot: 64,
    earliestAvailableSlot: 0,
  };
}

export interface LinkBehaviour {
  readonly peerId: string;
  readonly direction: PeerLink['direction'];
  readonly address: string;
  /** Which client it is, as far as that is known from the start. */
  readonly client: Client | (() => Client);
  readonly openedMs: number;
  readonly identity$: Observable<Outcome<Identity>>;
  readonly status$: Observable<Outcome<Status>>;
  readonly metaData$: Observable<Outcome<MetaData>>;
  readonly subscriptions$: Observable<SubscriptionRpc>;
  /** What it is subscribed to when it is looked at again. */
  readonly standing: readonly number[];
  readonly closed$: Observable<Failure>;
  readonly told$: Observable<Status>;
}

export interface FakeLink extends PeerLink {
  /** Requests in the order in which they were made. */
  readonly asked: string[];
  /** Why it was left, as often as it was. */
  readonly leavings: Leaving[];
  /** Whether it was told as one that we can dial, as often as that was said. */
  readonly dialable: boolean[];
}

/** A connection whose other side answers at once and as a good node does, unless told otherwise. */
export function fakeLink(behaviour: Partial<LinkBehaviour> = {}): FakeLink {
  const {
    peerId = 'a',
    direction = 'outbound',
    address = '/ip4/10.0.0.1/tcp/9000',
    client = 'Lighthouse',
    openedMs = 0,
    identity$ = of(success({ agent: AGENT, listenAddresses: [] })),
    status$ = of(success(status())),
    metaData$ = of(success(META_DATA)),
    subscriptions$ = NEVER,
    standing = [],
    closed$ = NEVER,
    told$ = NEVER,
  } = behaviour;
  const asked: string[] = [];
  const leavings: Leaving[] = [];
  const dialable: boolean[] = [];
  const asks = <T>(name: string, answer$: T) => {
    asked.push(name);
    return answer$;
  };
  const link: FakeLink = {
    peerId,
    direction,
    openedMs,
    address,
    transport: 'tcp',
    client: () => (typeof client === 'function' ? client() : client),
    identify: () => asks('identify', identity$),
    status: () => asks('status', status$),
    metaData: () => asks('metadata', metaData$),
    subscriptions$,
    closed$,
    told$,
    again: (nowMs) => ({
      ...link,
      openedMs: nowMs,
      subscriptions$: concat(of(hello(nowMs, standing)), NEVER),
    }),
    leave: (leaving, left) => {
      leavings.push(leaving);
      if (left !== undefined) dialable.push(left.isDialable);
    },
    asked,
    leavings,
    dialable,
  };
  return link;
}

export interface ClosableLink extends FakeLink {
  /** The peer ends the connection. */
  close(failure: Failure): void;
  hasClosed(): boolean;
}

/** A connection that tells of its end whenever it is asked. */
export function closableLink(behaviour: Partial<LinkBehaviour> = {}): ClosableLink {
  const closed = new ReplaySubject<Failure>(1);
  let isOver = false;
  return {
    ...fakeLink({ closed$: closed, ...behaviour }),
    close(failure) {
      isOver = true;
      closed.next(failure);
    },
    hasClosed: () => isOver,
  };
}

/** A gossip RPC that subscribes to attestation subnets of our digest. */
export function hello(atMs: number, subnets: readonly number[], subscribe = true): SubscriptionRpc {
  return { atMs, changes: subnets.map((subnet) => ({ topic: topic(`beacon_attestation_${subnet}`), subscribe })) };
}

export function topic(name: string, digest = DIGEST): string {
  return `/eth2/${digest}/${name}/ssz_snappy`;
}

export function dueVisit(peerId: string): DueVisit {
  return { peerId, lease: 1, enr: null, addresses: ['/ip4/10.0.0.1/tcp/9000'] };
}

export function connectedVisit(link: PeerLink): ConnectedVisit {
  return { peerId: link.peerId, lease: 1, enr: null, link };
}

/** An outcome in a few words, for marble diagrams: `a ok`, `b dial timeout`. */
export function inWords({ ok, value }: VisitOutcome<{ readonly peerId: string }>): string {
  return ok ? `${value.peerId} ok` : `${value.peerId} ${value.failure.stage} ${value.failure.cause}`;
}
