import { Discv5 } from '@chainsafe/discv5';
import { ENR, SignableENR } from '@chainsafe/enr';
import { generateKeyPair } from '@libp2p/crypto/keys';
import { multiaddr } from '@multiformats/multiaddr';
import { firstValueFrom } from 'rxjs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createMannersLedger } from '../../../src/consensus/manners/ledger.ts';
import { NOBODY } from '../../../src/consensus/opt-out.ts';
import { createLogger } from '../../../src/io/logging/logger.ts';
import { startHost } from '../../../src/io/network/libp2p/host.ts';
import { freeUdpPort } from '../../../src/io/network/own/free-port.ts';
import { loadIdentity } from '../../../src/io/network/own/identity.ts';
import { initialStatus, OWN_METADATA } from '../../../src/io/network/own/own-record.ts';
import { devnetNetwork, readDevnetFile } from '../../../src/io/networks/network-file.ts';
import { openSentryDatabase } from '../../../src/io/storage/sentry/sentry-database.ts';
import type { SqliteDatabase } from '../../../src/io/storage/sqlite/sqlite.ts';
import { type SentryProgram, startSentry } from '../../../src/programs/sentry/start-sentry.ts';
import { quietNetwork } from '../../support/e2e/quiet-network.ts';
import { tempDir } from '../../support/temp-dir.ts';

const logger = createLogger({ level: 'silent', format: 'json' });
let dir: Awaited<ReturnType<typeof tempDir>>;
let database: SqliteDatabase;
let sentry: SentryProgram;
let network: ReturnType<typeof devnetNetwork>;

beforeEach(async () => {
  dir = await tempDir();
  database = await openSentryDatabase(dir.path);
  network = devnetNetwork(await readDevnetFile(await quietNetwork(dir.path, { slot_ms: 1_000 })));
  sentry = await startSentry({
    network,
    dataDir: dir.path,
    database,
    log: { append: async () => undefined },
    crawlerId: 'test',
    crawlerLocation: 'here',
    listenIp: '127.0.0.1',
    listenIp6: '::1',
    port: 0,
    agent: 'valtrack/test',
    optOut: NOBODY,
    logger,
  });
});
afterEach(async () => {
  await sentry.stop();
  await database.close();
  await dir.remove();
});

const parts = (address: string) => address.split('/').slice(1, 4).join('/').replace(/\d+$/, '');

it('listens on both families over TCP and QUIC, and a peer reaches it over IPv6', async () => {
  const kinds = new Set(
    sentry.addresses.map((address) => `${parts(address)}${address.includes('quic-v1') ? 'quic' : ''}`),
  );
  expect([...kinds]).toHaveLength(4);
  const peer = await startHost({
    privateKey: await generateKeyPair('secp256k1'),
    listen: [],
    agent: 'test',
    maxConnections: 4,
    ownStatus: () => initialStatus(network, 0),
    ownMetaData: () => OWN_METADATA,
    ledger: createMannersLedger({ startedMs: 0 }),
    logger,
  });
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
    const record = SignableENR.createFromPrivateKey(await loadIdentity(dir.path));
    record.ip6 = '::1';
    record.udp6 = (own.udp ?? 0) + 90;
    const pong = await asker.sendPing(record.toENR());
    expect(pong.enrSeq).toBe(own.seq);
  } finally {
    await asker.stop();
  }
});
