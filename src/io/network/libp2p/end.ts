import { type Connection, ConnectionClosedError, type MultiaddrConnection } from '@libp2p/interface';

/**
 * Ends a connection at once and as a whole, without a word on any stream: first what carries it, then what runs on it. The other
 * way round the muxer says of each stream how it ends, and over QUIC its resets overtake the end of the connection. Lighthouse
 * counts each (peer_manager/mod.rs `handle_rpc_error`, IoError).
 */
export function end(connection: Connection): void {
  const ending = new ConnectionClosedError('left');
  carrierOf(connection)?.abort(ending);
  connection.abort(ending);
}

/** The transport's side of a connection, which libp2p does not show. */
function carrierOf(connection: Connection): MultiaddrConnection | undefined {
  return (connection as { readonly maConn?: MultiaddrConnection }).maConn;
}
