import { Discv5 } from '@chainsafe/discv5';
import { ENR, SignableENR } from '@chainsafe/enr';
import { generateKeyPair } from '@libp2p/crypto/keys';
import { multiaddr } from '@multiformats/multiaddr';
import { firstValueFrom } from 'rxjs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { freeUdpPort } from '../../../src/io/network/own/free-port.ts';
import { loadIdentity } from '../../../src/io/network/own/identity.ts';
import { openSentryDatabase } from '../../../src/io/storage/sentry/sentry-database.ts';
import type { SentryProgram } from '../../../src/programs/sentry/start-sentry.ts';
import { databaseForEachTest } from '../../support/database-for-each-test.ts';
import { quietSentry } from '../../support/e2e/quiet-sentry.ts';
import { aHost } from '../../support/network/test-host.ts';

const folder = databaseForEachTest(openSentryDatabase);
let sentry: SentryProgram;

beforeEach(async () => {
  sentry = await quietSentry({ slotMs: 1_000, dataDir: folder.path, database: folder.database, listenIp6: '::1' });
});
afterEach(async () => {
  await sentry.stop();
});

const parts = (address: string) => address.split('/').slice(1, 4).join('/').replace(/\d+$/, '');

it('listens on both families over TCP and QUIC, and a peer reaches it over IPv6', async () => {
  const kinds = new Set(
    sentry.addresses.map((address) => `${parts(address)}${address.includes('quic-v1') ? 'quic' : ''}`),
  );
  expect([...kinds]).toHaveLength(4);
  const peer = await aHost({ listen: [] });
  try {
    const overIp6 = sentry.addresses
      .filter((address) => address.startsWith('/ip6/::1/tcp/'))
      .map((address) => address.replace(/\/p2p\/.*$/, ''));
    const outcome = await firstValueFrom(peer.dial({ peerId: sentry.peerId, enr: null, addresses: overIp6 }));
    expect(outcome.ok && outcome.value.address).toMatch(/^\/ip6\/::1\/tcp\//);
  } finally {
    await peer.stop();
  }
});

it('answers discv5 over IPv6, and its record has the ports of both families', async () => {
  const own = ENR.decodeTxt(sentry.enr);
  const listensOn = (part: string) => sentry.addresses.some((address) => address.includes(part));
  expect(listensOn(`/ip4/127.0.0.1/tcp/${own.tcp}/`)).toBe(true);
  expect(listensOn(`/ip4/127.0.0.1/udp/${own.quic}/quic-v1`)).toBe(true);
  expect(listensOn(`/ip6/::1/tcp/${own.tcp6}/`)).toBe(true);
  expect(listensOn(`/ip6/::1/udp/${own.quic6}/quic-v1`)).toBe(true);

  const privateKey = await generateKeyPair('secp256k1');
  const enr = SignableENR.createFromPrivateKey(privateKey);
  enr.ip6 = '::1';
  enr.udp6 = await freeUdpPort('::1');
  const asker = Discv5.create({ enr, privateKey, bindAddrs: { ip6: multiaddr(`/ip6/::1/udp/${enr.udp6}`) } });
  await asker.start();
  try {
    // Its record as peers with IPv6 will have it, once they have told it its address.
    const record = SignableENR.createFromPrivateKey(await loadIdentity(folder.path));
    record.ip6 = '::1';
    record.udp6 = (own.udp ?? 0) + 90;
    const pong = await asker.sendPing(record.toENR());
    expect(pong.enrSeq).toBe(own.seq);
  } finally {
    await asker.stop();
  }
});
