/** What QUIC's native side has received, which libp2p's streams do not tell. */
export interface NativeConnection {
  remoteMultiaddr(): string;
  outboundStream(): Promise<NativeStream>;
  closed(): Promise<void>;
  stats(): { readonly frameRxResetStream: number; readonly frameRxConnectionClose: number };
}

export interface NativeStream {
  write(bytes: Uint8Array): Promise<void>;
  /** `null` after a FIN; rejects after a reset, and when the connection has ended. */
  read(maxBytes: number): Promise<Uint8Array | null>;
}

interface Native {
  readonly Client: { readonly prototype: { outboundConnection(...to: unknown[]): Promise<NativeConnection> } };
  readonly Server: { readonly prototype: { inboundConnection(): Promise<NativeConnection> } };
}

/** Not among what the package exports. */
const NATIVE = new URL('../../../node_modules/@chainsafe/libp2p-quic/dist/src/napi.js', import.meta.url);

const connections: NativeConnection[] = [];
let spying: Promise<void> | null = null;

/** Connections with a peer that are opened from the first call on in this process, oldest first. */
export async function quicSpy(): Promise<{ connectionsWith(peerId: string): readonly NativeConnection[] }> {
  spying ??= spy();
  await spying;
  return {
    connectionsWith: (peerId) => connections.filter((connection) => connection.remoteMultiaddr().includes(peerId)),
  };
}

async function spy(): Promise<void> {
  const { Client, Server } = (await import(NATIVE.href)) as Native;
  const { outboundConnection } = Client.prototype;
  Client.prototype.outboundConnection = async function (...to) {
    return noted(await outboundConnection.apply(this, to));
  };
  const { inboundConnection } = Server.prototype;
  Server.prototype.inboundConnection = async function () {
    return noted(await inboundConnection.apply(this));
  };
}

function noted(connection: NativeConnection): NativeConnection {
  connections.push(connection);
  return connection;
}
