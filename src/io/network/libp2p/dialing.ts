import { type Connection, type Libp2p, type PeerId, UnexpectedPeerError } from '@libp2p/interface';
import { peerIdFromString } from '@libp2p/peer-id';
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr';
import { firstValueFrom, fromEvent, type Observable, race, type SchedulerLike, timer } from 'rxjs';
import { failed, type Outcome, success } from '../../../consensus/failure.ts';
import { parsePeerAddress } from '../../../consensus/peer-address.ts';
import type { DialTarget, PeerLink } from '../../../streams/ports/peer-link.ts';
import { failureOf } from './failure-of.ts';

export interface DialingOptions {
  readonly node: Pick<Libp2p, 'peerId' | 'dial' | 'getConnections'>;
  readonly linkOf: (connection: Connection) => PeerLink;
  /** Ends a connection that belongs to nobody. */
  readonly abandon: (connection: Connection) => void;
  /** Whether a connection is about to end. */
  readonly isGivenUp: (connection: Connection) => boolean;
  /** Emits when a connection has ended. */
  readonly closedOf: (connection: Connection) => Observable<unknown>;
  /** For how many milliseconds the peer should not be dialled anew, for it may not know yet that it was left. */
  readonly pauseMs: (peerId: string) => number;
  readonly scheduler: SchedulerLike;
}

export interface Dialing {
  /** A connection to the peer, and to nobody else; never rejects. */
  connect(target: DialTarget, signal: AbortSignal): Promise<Outcome<PeerLink>>;
  /** Whether somebody waits for a connection to the peer. */
  isAwaited(peerId: string): boolean;
}

/** An address that has not answered by then is left for the next; the last one has the rest of the time. */
const PATIENCE_PER_ADDRESS_MS = 3_000;

export function createDialing(options: DialingOptions): Dialing {
  const { node, linkOf, abandon, isGivenUp, closedOf, pauseMs, scheduler } = options;
  const awaited = new Set<DialTarget>();

  async function connect(target: DialTarget, signal: AbortSignal): Promise<Outcome<PeerLink>> {
    const { peerId, addresses } = target;
    const remote = readPeerId(peerId);
    if (remote === null) return failed('dial', 'no_address', `not a peer id: ${peerId}`);
    if (remote.equals(node.peerId)) return failed('dial', 'self');
    awaited.add(target);
    try {
      const dialable = dialableAddresses(peerId, addresses);
      if (dialable.length === 0) return failed('dial', 'no_address');
      return await connectToOneOf(dialable, peerId, signal);
    } catch (error) {
      // A connection that was given up while it came about belongs to nobody.
      if (signal.aborted) node.getConnections(remote).filter(isOutbound).forEach(abandon);
      return { ok: false, failure: failureOf('dial', error) };
    } finally {
      awaited.delete(target);
    }
  }

  /** One address after another, so that a transport that is swallowed on the way leaves time for the next. */
  async function connectToOneOf(
    dialable: readonly Multiaddr[],
    peerId: string,
    signal: AbortSignal,
  ): Promise<Outcome<PeerLink>> {
    const startMs = Date.now();
    const errors: unknown[] = [];
    for (const [index, address] of dialable.entries()) {
      const isLast = index === dialable.length - 1;
      const patience = isLast ? signal : AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_PER_ADDRESS_MS)]);
      try {
        const connection = await lastingConnection(address, peerId, patience);
        signal.throwIfAborted();
        if (connection.remotePeer.toString() === peerId) return success(linkSince(connection, startMs));
        // libp2p takes whoever answers for the peer that was dialled, so that is looked at here.
        abandon(connection);
        errors.push(new UnexpectedPeerError(`${connection.remotePeer} answers at ${connection.remoteAddr}`));
      } catch (error) {
        signal.throwIfAborted();
        errors.push(patience.aborted ? patience.reason : error);
      }
    }
    return { ok: false, failure: failureOf('dial', errors.length === 1 ? errors[0] : new AggregateError(errors)) };
  }

  /** libp2p gives the connection that there is, if there is one: what was said on it before is of another moment. */
  function linkSince(connection: Connection, startMs: number): PeerLink {
    const link = linkOf(connection);
    return connection.timeline.open < startMs ? link.again(startMs) : link;
  }

  /** libp2p gives the connection that is there already; one that is about to end is waited for. */
  async function lastingConnection(address: Multiaddr, peerId: string, signal: AbortSignal): Promise<Connection> {
    for (;;) {
      await firstValueFrom(race(timer(pauseMs(peerId), scheduler), fromEvent(signal, 'abort')));
      signal.throwIfAborted();
      const connection = await node.dial(address, { signal });
      if (!isGivenUp(connection)) return connection;
      await firstValueFrom(race(closedOf(connection), fromEvent(signal, 'abort')));
      signal.throwIfAborted();
    }
  }

  return { connect, isAwaited: (peerId) => [...awaited].some((target) => target.peerId === peerId) };
}

/** Addresses that can be read, each with the peer id that must answer there. */
function dialableAddresses(peerId: string, addresses: readonly string[]): Multiaddr[] {
  return addresses.flatMap((address) => {
    if (parsePeerAddress(address) === null) return [];
    return multiaddr(`${address}/p2p/${peerId}`);
  });
}

function readPeerId(text: string): PeerId | null {
  try {
    return peerIdFromString(text);
  } catch {
    return null;
  }
}

function isOutbound({ direction }: Connection): boolean {
  return direction === 'outbound';
}
