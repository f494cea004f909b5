import { createSocket } from 'node:dgram';
import { once } from 'node:events';

/** A UDP port that is free on this address at this moment. discv5 must know its port before it binds. */
export function freeUdpPort(ip: string): Promise<number> {
  return bound(ip, 0);
}

/** @throws the system's error when the port cannot be had on this address */
export async function checkUdpPort(ip: string, port: number): Promise<void> {
  await bound(ip, port);
}

async function bound(ip: string, port: number): Promise<number> {
  const socket = createSocket(ip.includes(':') ? 'udp6' : 'udp4');
  try {
    socket.bind(port, ip);
    await once(socket, 'listening');
    return socket.address().port;
  } finally {
    socket.close();
  }
}
