import { createSocket } from 'node:dgram';
import { once } from 'node:events';

/** A UDP port that is free on this address at this moment. discv5 must know its port before it binds. */
export async function freeUdpPort(ip: string): Promise<number> {
  const socket = createSocket(ip.includes(':') ? 'udp6' : 'udp4');
  try {
    socket.bind(0, ip);
    await once(socket, 'listening');
    return socket.address().port;
  } finally {
    socket.close();
  }
}
