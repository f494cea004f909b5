import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { freeUdpPort } from '../../../../src/io/network/own/free-port.ts';

describe('a free UDP port', () => {
  it.each(['127.0.0.1', '::1'])('of %s can be bound', async (ip) => {
    const port = await freeUdpPort(ip);
    expect(port).toBeGreaterThan(0);
    const socket = createSocket(ip === '::1' ? 'udp6' : 'udp4').bind(port, ip);
    await once(socket, 'listening');
    expect(socket.address()).toMatchObject({ port, address: ip });
    socket.close();
  });

  it('of an address that is not ours is an error', async () => {
    await expect(freeUdpPort('192.0.2.1')).rejects.toMatchObject({ code: 'EADDRNOTAVAIL' });
  });
});
