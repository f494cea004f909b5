import type { Connection } from '@libp2p/interface';

/**
 * How many use a connection. libp2p gives whoever dials the connection that is there already, so that a visit may share one
 * with what keeps it for later; it is left when the last of them has left it.
 */
export interface Claims {
  claim(connection: Connection): void;
  /** Whether nobody uses it any more. */
  release(connection: Connection): boolean;
}

export function createClaims(): Claims {
  const users = new WeakMap<Connection, number>();
  return {
    claim(connection) {
      users.set(connection, (users.get(connection) ?? 0) + 1);
    },
    release(connection) {
      const left = (users.get(connection) ?? 0) - 1;
      users.set(connection, left);
      return left <= 0;
    },
  };
}
