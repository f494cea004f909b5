import { expect, it } from 'vitest';
import { listenAddresses, quicPort, quicPortFor, tcpPort } from '../../../../src/io/network/own/listening.ts';

it.each([
  ['192.0.2.7', ['/ip4/192.0.2.7/tcp/9000', '/ip4/192.0.2.7/udp/9001/quic-v1']],
  ['2001:db8::7', ['/ip6/2001:db8::7/tcp/9000', '/ip6/2001:db8::7/udp/9001/quic-v1']],
])('listens on %s with QUIC one port above TCP, and reads both back', (ip, addresses) => {
  expect(listenAddresses(ip, 9_000, quicPortFor(9_000))).toEqual(addresses);
  expect([tcpPort(addresses, ip), quicPort(addresses, ip)]).toEqual([9_000, 9_001]);
});

it('leaves both ports to the system when none is given', () => {
  expect(listenAddresses('127.0.0.1', 0, quicPortFor(0))).toEqual([
    '/ip4/127.0.0.1/tcp/0',
    '/ip4/127.0.0.1/udp/0/quic-v1',
  ]);
});

it('tells the ports of the address family that is asked for', () => {
  const addresses = ['/ip6/::1/tcp/6/p2p/16Uiu2', '/ip4/127.0.0.1/udp/5/quic-v1/p2p/16Uiu2', '/ip4/10.0.0.1/tcp/4'];
  expect([tcpPort(addresses, '0.0.0.0'), quicPort(addresses, '0.0.0.0')]).toEqual([4, 5]);
  expect([tcpPort(addresses, '::'), quicPort(addresses, '::')]).toEqual([6, undefined]);
});
