import type { Connection } from '@libp2p/interface';
import { type Observable, ReplaySubject } from 'rxjs';
import { type Failure, failure } from '../../../consensus/failure.ts';
import { causeOfGoodbye } from './failure-of.ts';

/** How connections end: by a goodbye whose reason is known, or without a word. */
export interface Endings {
  opened(connection: Connection): void;
  /** The peer has said why it leaves; it is about to. */
  saidGoodbye(connection: Connection, reason: bigint): void;
  closed(connection: Connection): void;
  /** Tells how the connection has ended once it has; at once for one that was never opened here. Never completes. */
  of(connection: Connection): Observable<Failure>;
}

export function connectionEndings(): Endings {
  // Keyed by the connection, so that they end with it whichever events libp2p reports of it.
  const goodbyes = new WeakMap<Connection, bigint>();
  const endings = new WeakMap<Connection, ReplaySubject<Failure>>();

  return {
    opened(connection) {
      endings.set(connection, new ReplaySubject<Failure>(1));
    },
    saidGoodbye(connection, reason) {
      goodbyes.set(connection, reason);
    },
    closed(connection) {
      endings.get(connection)?.next(endingWith(goodbyes.get(connection)));
    },
    of: (connection) => endings.get(connection) ?? endedAlready(),
  };
}

function endingWith(goodbye: bigint | undefined): Failure {
  if (goodbye === undefined) return failure('identify', 'eof', 'closed by the peer');
  return failure('identify', causeOfGoodbye(goodbye), `goodbye ${goodbye}`);
}

function endedAlready(): Observable<Failure> {
  const ended = new ReplaySubject<Failure>(1);
  ended.next(failure('identify', 'eof', 'closed before it was looked at'));
  return ended;
}
