import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { Discv5 } from '@chainsafe/discv5';
import { ENR, SignableENR } from '@chainsafe/enr';
import { generateKeyPair } from '@libp2p/crypto/keys';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { multiaddr } from '@multiformats/multiaddr';
import { firstValueFrom, materialize } from 'rxjs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { NodeRecord } from '../../../../src/consensus/node-record.ts';
import { type Devnet, startDevnet } from '../../../../src/devnet/devnet.ts';
import { createLogger } from '../../../../src/io/logging/logger.ts';
import { type Discv5Adapter, startDiscv5 } from '../../../../src/io/network/discv5/discv5.ts';
import { useNativeEnrCrypto } from '../../../../src/io/network/discv5/enr-crypto.ts';
import { checkUdpPort, freeUdpPort } from '../../../../src/io/network/own/free-port.ts';
import { udpSocketOn } from '../../../support/open-handles.ts';
import { tempDir } from '../../../support/temp-dir.ts';

const NODES = 24;
const SEED = 7;
const logger = createLogger({ level: 'silent', format: 'json' });

let dir: Awaited<ReturnType<typeof tempDir>>;
let devnet: Devnet;
let adapter: Discv5Adapter;

beforeAll(async () => {
  useNativeEnrCrypto();
  dir = await tempDir();
  devnet = await startDevnet({ nodes: NODES, seed: SEED, slotMs: 1_000, dir: dir.path });
  adapter = await anAdapter(devnet.network.bootnodes);
});
afterAll(async () => {
  await adapter.stop();
  await devnet.stop();
  await dir.remove();
});

async function anAdapter(bootnodes: readonly string[], { tellsAddress = true } = {}): Promise<Discv5Adapter> {
  const privateKey = await generateKeyPair('secp256k1');
  const record = SignableENR.createFromPrivateKey(privateKey);
  const udpPort = await freeUdpPort('127.0.0.1');
  if (tellsAddress) {
    record.ip = '127.0.0.1';
    record.udp = udpPort;
  }
  return await startDiscv5({ privateKey, record, bindIp: '127.0.0.1', udpPort, bootnodes, logger });
}

/** A record at an address where nothing answers. */
async function recordAt(ip: string, port: number): Promise<string> {
  const record = SignableENR.createFromPrivateKey(await generateKeyPair('secp256k1'));
  record.ip = ip;
  record.udp = port;
  return record.encodeTxt();
}

describe('the neighbours of a node', () => {
  it('are all that it has in its table, however thin the buckets', async () => {
    const privateKey = await generateKeyPair('secp256k1');
    const enr = SignableENR.createFromPrivateKey(privateKey);
    const plain = Discv5.create({ enr, privateKey, bindAddrs: { ip4: multiaddr('/ip4/127.0.0.1/udp/0') } });
    await plain.start();
    const asked = devnet.network.nodes.filter((node) => ENR.decodeTxt(node.enr).udp !== undefined).slice(0, 10);
    for (const node of asked) {
      const answer = await firstValueFrom(adapter.neighbours(node.enr));
      if (!answer.ok) throw new Error(answer.failure.detail);
      const told = new Map(answer.value.records.map((record) => [record.nodeId, record.enr]));
      // One request for every single distance down to where nobody can be.
      for (let distance = 256; distance >= 240; distance--) {
        for (const neighbour of await plain.sendFindNode(ENR.decodeTxt(node.enr), [distance])) {
          if (neighbour.nodeId === plain.enr.nodeId) continue;
          expect(told.get(neighbour.nodeId), `at ${distance} of ${node.peer_id}`).toBe(neighbour.encodeTxt());
        }
      }
      expect(told.size).toBeGreaterThanOrEqual(10);
      expect(answer.value.requests).toBeLessThanOrEqual(10);
    }
    await plain.stop();
  });

  it('are a failure in bounded time when the node is silent', async () => {
    const silent: Socket = createSocket('udp4');
    silent.bind(0, '127.0.0.1');
    await once(silent, 'listening');
    const startedMs = Date.now();
    const answer = await firstValueFrom(adapter.neighbours(await recordAt('127.0.0.1', silent.address().port)));
    expect(answer).toMatchObject({ ok: false, failure: { stage: 'resolve', cause: 'timeout' } });
    expect(Date.now() - startedMs).toBeLessThan(6_000);
    silent.close();
  });

  it.each([
    ['text that is no record', async () => 'enr:nonsense', 'bad_response'],
    [
      'a record without an address',
      async () => SignableENR.createFromPrivateKey(await generateKeyPair('secp256k1')).encodeTxt(),
      'no_address',
    ],
  ])('of %s are a failure at once', async (_, enr, cause) => {
    const answer = await firstValueFrom(adapter.neighbours(await enr()));
    expect(answer).toMatchObject({ ok: false, failure: { stage: 'resolve', cause } });
  });

  it('are not waited for by somebody who has left', async () => {
    const [node] = devnet.network.nodes;
    const answers: unknown[] = [];
    adapter
      .neighbours(node?.enr ?? '')
      .subscribe((answer) => answers.push(answer))
      .unsubscribe();
    await firstValueFrom(adapter.neighbours(node?.enr ?? ''));
    expect(answers).toEqual([]);
  });
});

describe('the record of a peer', () => {
  it('is found by its peer id, in our table or by asking around', async () => {
    const asked = devnet.network.nodes.slice(0, 6);
    for (const { peer_id: peerId, enr } of asked) {
      expect(await firstValueFrom(adapter.find(peerId)), peerId).toBe(enr);
    }
  });

  it('is known of one behind a NAT that has opened a session with us', async () => {
    const listener = await anAdapter([]);
    const caller = await anAdapter([], { tellsAddress: false });
    const record = caller.record.encodeTxt();
    expect(ENR.decodeTxt(record).ip).toBeUndefined();
    await firstValueFrom(caller.neighbours(listener.record.encodeTxt()));
    expect(await firstValueFrom(listener.find(ENR.decodeTxt(record).peerId.toString()))).toBe(record);
    await Promise.all([caller.stop(), listener.stop()]);
  });

  it.each([
    ['another key than secp256k1', async () => peerIdFromPrivateKey(await generateKeyPair('Ed25519')).toString()],
    ['text that is no peer id', async () => 'nobody'],
    ['nobody we can hear of', async () => peerIdFromPrivateKey(await generateKeyPair('secp256k1')).toString()],
  ])('is none of %s', async (_, peerId) => {
    expect(await firstValueFrom(adapter.find(await peerId()))).toBeNull();
  });
});

describe('an adapter', () => {
  it('hears of nodes that come to it unasked', async () => {
    const listener = await anAdapter([]);
    const heard: NodeRecord[] = [];
    listener.heard$.subscribe((record) => heard.push(record));
    const caller = await anAdapter([listener.record.encodeTxt()]);
    const answer = await firstValueFrom(caller.neighbours(listener.record.encodeTxt()));
    expect(answer).toMatchObject({ ok: true });
    await vi.waitFor(() => expect(heard.map(({ enr }) => enr)).toContain(caller.record.encodeTxt()));
    await caller.stop();
    await listener.stop();
  });

  it('starts although a bootnode record cannot be used, and ends what is heard when it stops', async () => {
    const started = await anAdapter(['enr:nonsense', '']);
    const ended = vi.fn();
    started.heard$.subscribe({ complete: ended });
    await started.stop();
    expect(ended).toHaveBeenCalledOnce();
  });

  it('has the record that it was given', () => {
    expect(ENR.decodeTxt(adapter.record.encodeTxt()).ip).toBe('127.0.0.1');
  });

  it('tells of a socket that is lost, and gives the port back', async () => {
    const listener = await anAdapter([]);
    const { record } = listener;
    const udpPort = record.udp ?? 0;
    const failure = firstValueFrom(listener.failed$.pipe(materialize()));
    udpSocketOn(udpPort).close();
    await expect(failure).resolves.toMatchObject({
      error: expect.objectContaining({ message: 'a UDP socket was closed' }),
    });
    await listener.stop();
    await checkUdpPort('127.0.0.1', udpPort);
  });

  it('cannot have a port that is in use, and says so', async () => {
    const udpPort = adapter.record.udp ?? 0;
    const privateKey = await generateKeyPair('secp256k1');
    const record = SignableENR.createFromPrivateKey(privateKey);
    await expect(
      startDiscv5({ privateKey, record, bindIp: '127.0.0.1', udpPort, bootnodes: [], logger }),
    ).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});
