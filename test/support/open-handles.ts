import { Socket } from 'node:dgram';
import { Server } from 'node:net';

/** What this process has open, to take it away from whoever uses it. */
function openHandles(): readonly unknown[] {
  return (process as unknown as { _getActiveHandles(): unknown[] })._getActiveHandles();
}

/** The UDP socket that is bound to a port. */
export function udpSocketOn(port: number): Socket {
  const found = openHandles().find((handle) => handle instanceof Socket && portOf(handle) === port);
  if (found === undefined) throw new Error(`nobody has UDP port ${port}`);
  return found as Socket;
}

/** The server that listens on a TCP port. */
export function tcpServerOn(port: number): Server {
  const found = openHandles().find((handle) => {
    if (!(handle instanceof Server)) return false;
    const address = handle.address();
    return address !== null && typeof address === 'object' && address.port === port;
  });
  if (found === undefined) throw new Error(`nobody has TCP port ${port}`);
  return found as Server;
}

/** `null` of a socket that is closed already. */
function portOf(socket: Socket): number | null {
  try {
    return socket.address().port;
  } catch {
    return null;
  }
}
