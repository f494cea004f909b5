import type { Connection } from '@libp2p/interface';

/**
 * How many use a connection. libp2p gives whoever dials the connection that is there already, so that a visit may share one
 * with what keeps it for later; it is left when the last of them has left it.
 */
export interface Claims {
  claim(connection: Connection): void;
  /** Whether nobody uses it any more. */
  release(connection: Connection): boolean;
  /** False when somebody uses it; otherwise nobody can from now on, for it is about to end. */
  giveUp(connection: Connection): boolean;
  /** Nobody new is to use it, and it ends when the last who does has left it. */
  spoil(connection: Connection): void;
  /** Whether it is about to end: then it is of no use, though it is open. */
  isGivenUp(connection: Connection): boolean;
}

export function createClaims(): Claims {
  const users = new WeakMap<Connection, number>();
  const givenUp = new WeakSet<Connection>();
  const usersOf = (connection: Connection) => users.get(connection) ?? 0;

  return {
    claim(connection) {
      users.set(connection, usersOf(connection) + 1);
    },
    release(connection) {
      const left = Math.max(0, usersOf(connection) - 1);
      users.set(connection, left);
      return left === 0;
    },
    giveUp(connection) {
      if (usersOf(connection) > 0) return false;
      givenUp.add(connection);
      return true;
    },
    spoil: (connection) => void givenUp.add(connection),
    isGivenUp: (connection) => givenUp.has(connection),
  };
}
