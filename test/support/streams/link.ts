import { NEVER, type Observable, of } from 'rxjs';
import type { MetaData, Status } from '../../../src/consensus/containers.ts';
import { type Failure, type Outcome, success } from '../../../src/consensus/failure.ts';
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
  readonly openedMs: number;
  readonly identity$: Observable<Outcome<Identity>>;
  readonly status$: Observable<Outcome<Status>>;
  readonly metaData$: Observable<Outcome<MetaData>>;
  readonly subscriptions$: Observable<SubscriptionRpc>;
  readonly closed$: Observable<Failure>;
}

export interface FakeLink extends PeerLink {
  /** Requests in the order in which they were made. */
  readonly asked: string[];
  /** Reasons of the goodbyes said. */
  readonly goodbyes: bigint[];
}

/** A connection whose other side answers at once and as a good node does, unless told otherwise. */
export function fakeLink(behaviour: Partial<LinkBehaviour> = {}): FakeLink {
  const {
    peerId = 'a',
    direction = 'outbound',
    openedMs = 0,
    identity$ = of(success({ agent: AGENT, listenAddresses: [] })),
    status$ = of(success(status())),
    metaData$ = of(success(META_DATA)),
    subscriptions$ = NEVER,
    closed$ = NEVER,
  } = behaviour;
  const asked: string[] = [];
  const goodbyes: bigint[] = [];
  const asks = <T>(name: string, answer$: T) => {
    asked.push(name);
    return answer$;
  };
  return {
    peerId,
    direction,
    openedMs,
    address: '/ip4/10.0.0.1/tcp/9000',
    transport: 'tcp',
    identify: () => asks('identify', identity$),
    status: () => asks('status', status$),
    metaData: () => asks('metadata', metaData$),
    subscriptions$,
    closed$,
    hangUp: (reason) => {
      goodbyes.push(reason);
    },
    asked,
    goodbyes,
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
