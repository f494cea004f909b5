import type { Observable } from 'rxjs';
import type { MetaData, Status } from '../../consensus/containers.ts';
import type { Direction, Transport } from '../../consensus/events.ts';
import type { Failure, Outcome } from '../../consensus/failure.ts';

/** Goodbye reasons (phase0/p2p-interface.md "Goodbye"; 129 is what clients send when full). */
export const GOODBYE = { clientShutdown: 1n, irrelevantNetwork: 2n, fault: 3n, tooManyPeers: 129n } as const;

/** Whom to connect to, and where. */
export interface DialTarget {
  readonly peerId: string;
  readonly enr: string | null;
  /** Multiaddrs, most preferred first. */
  readonly addresses: readonly string[];
}

/** Opens connections to peers. */
export interface Dialer {
  /** Emits once and completes; unsubscribing gives up the attempt. Never errors. */
  dial(target: DialTarget): Observable<Outcome<PeerLink>>;
  /** Connections that peers have opened to us. */
  readonly inbound$: Observable<PeerLink>;
}

/** One connection to one peer. Requests emit once and complete, never error, and are given up by unsubscribing. */
export interface PeerLink {
  readonly peerId: string;
  /** Remote multiaddr without the peer id; the ephemeral port of an inbound connection until identify says better. */
  readonly address: string;
  readonly direction: Direction;
  readonly transport: Transport;
  /** When the transport had connected, before either side had said a word. */
  readonly openedMs: number;
  /** The agent string that identify brings. */
  identify(): Observable<Outcome<Identity>>;
  status(own: Status): Observable<Outcome<Status>>;
  metaData(): Observable<Outcome<MetaData>>;
  /** What the peer has said of its gossip topics since the connection opened, then what it says next. */
  readonly subscriptions$: Observable<SubscriptionRpc>;
  /** Emits once when the connection ends from the other side, with the reason if a Goodbye gave one. */
  readonly closed$: Observable<Failure>;
  /** Says goodbye and closes; safe to call twice. */
  hangUp(reason: bigint): void;
}

export interface Identity {
  readonly agent: string;
  /** Where the peer says it listens, as multiaddrs. */
  readonly listenAddresses: readonly string[];
}

/** One gossip RPC that carried subscriptions; the first is the hello, which lists all of them. */
export interface SubscriptionRpc {
  readonly atMs: number;
  readonly changes: readonly SubscriptionChange[];
  /** Changes left out because the peer has said too much. */
  readonly dropped?: number;
}

export interface SubscriptionChange {
  readonly topic: string;
  readonly subscribe: boolean;
}
