import type { Observable } from 'rxjs';
import type { Client } from '../../consensus/client.ts';
import type { MetaData, Status } from '../../consensus/containers.ts';
import type { Direction, Transport } from '../../consensus/events.ts';
import type { Failure, Outcome } from '../../consensus/failure.ts';
import type { Leaving } from '../../consensus/manners/goodbye.ts';

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

/** What is known of a peer that is left. */
export interface LeftPeer {
  /** Whether we can dial it; if not said, whoever we have dialled. */
  readonly isDialable: boolean;
}

/** One connection to one peer. Requests emit once and complete, never error, and are given up by unsubscribing. */
export interface PeerLink {
  readonly peerId: string;
  /** Remote multiaddr without the peer id; the ephemeral port of an inbound connection until identify says better. */
  readonly address: string;
  readonly direction: Direction;
  readonly transport: Transport;
  /** Which client it is, as far as it is known by now. */
  client(): Client;
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
  /** What the peer tells of its chain with a question for ours. */
  readonly told$: Observable<Status>;
  /** The same connection for another look: what the peer is subscribed to by now is its hello. */
  again(nowMs: number): PeerLink;
  /** Has no more use for the connection, which ends in good manners once nobody else has; safe to call twice. */
  leave(leaving: Leaving, left?: LeftPeer): void;
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
