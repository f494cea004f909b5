import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import type { Fault } from './faults.ts';

/** Nodes whose faults show before libp2p has anything to say: plain TCP servers. */

/** What a client of multistream-select sends and expects first: the protocol, and that noise will do. */
const MULTISTREAM_NOISE = Buffer.from('\x13/multistream/1.0.0\n\x07/noise\n');

/** What such a node does with each connection. */
const WELCOMES: Readonly<Partial<Record<Fault, (socket: Socket) => void>>> = {
  'reset-at-dial': (socket) => socket.resetAndDestroy(),
  silent: (socket) => socket.resume(),
  'reset-at-security': (socket) => {
    let received = 0;
    socket.on('data', (chunk) => {
      if (received === 0) socket.write(MULTISTREAM_NOISE);
      received += chunk.length;
      if (received > MULTISTREAM_NOISE.length) socket.resetAndDestroy();
    });
  },
};

export function isRaw(fault: Fault | 'honest'): fault is Fault {
  return fault === 'refuses-dials' || fault === 'private-address' || (fault !== 'honest' && fault in WELCOMES);
}

/** Starts the server of such a node, or none for a fault that consists in that. */
export async function startRawListener(
  fault: Fault,
  { host, port }: { host: string; port: number },
): Promise<() => Promise<void>> {
  const welcome = WELCOMES[fault];
  if (welcome === undefined) return async () => undefined;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    // The peer may reset the connection as well: that is what it is for.
    socket.on('error', () => socket.destroy());
    welcome(socket);
  });
  server.listen({ host, port });
  await once(server, 'listening');
  return async () => {
    server.close();
    for (const socket of sockets) socket.destroy();
    await once(server, 'close');
  };
}
