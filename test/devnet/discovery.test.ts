import { createHash } from 'node:crypto';
import { createSocket } from 'node:dgram';
import type { EventEmitter } from 'node:events';
import { Discv5 } from '@chainsafe/discv5';
import { ENR, SignableENR } from '@chainsafe/enr';
import { generateKeyPair } from '@libp2p/crypto/keys';
import { multiaddr } from '@multiformats/multiaddr';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Devnet, startDevnet } from '../../src/devnet/devnet.ts';
import { tempDir } from '../support/temp-dir.ts';

const NODES = 40;
let dir: Awaited<ReturnType<typeof tempDir>>;
let devnet: Devnet;
let discovery: Discv5;

beforeAll(async () => {
  dir = await tempDir();
  devnet = await startDevnet({ nodes: NODES, seed: 5, slotMs: 250, dir: dir.path });
  const privateKey = await generateKeyPair('secp256k1');
  // A record without an address, as that of a peer behind a router.
  const enr = SignableENR.createFromPrivateKey(privateKey);
  discovery = Discv5.create({ enr, privateKey, bindAddrs: { ip4: multiaddr('/ip4/127.0.0.1/udp/0') } });
  await discovery.start();
});

afterAll(async () => {
  await discovery.stop();
  await devnet.stop();
  await dir.remove();
});

describe('discv5', () => {
  it('finds every node from the bootnodes', async () => {
    const found = new Map<string, string>();
    // Its declared type has lost the methods of the emitter that it is.
    const events = discovery as unknown as EventEmitter;
    events.on('discovered', (enr: ENR) => found.set(enr.nodeId, enr.encodeTxt()));
    for (const bootnode of devnet.network.bootnodes) {
      const enr = ENR.decodeTxt(bootnode);
      found.set(enr.nodeId, bootnode);
      discovery.addEnr(enr);
    }
    await vi.waitFor(
      async () => {
        await discovery.findRandomNode();
        expect(found.size).toBe(NODES);
      },
      { timeout: 25_000, interval: 10 },
    );
    expect(new Set(found.values())).toEqual(new Set(devnet.network.nodes.map((node) => node.enr)));
  });

  it('gets the whole table of a node by distances', async () => {
    const [first] = devnet.network.nodes;
    const enr = ENR.decodeTxt(first?.enr ?? '');
    const known = await discovery.sendFindNode(enr, [256, 255, 254, 253, 252, 251, 250, 0]);
    // Its neighbours, of which discv5 returns sixteen at most.
    expect(known.length).toBeGreaterThanOrEqual(15);
  });

  it('goes on after datagrams that mean nothing', async () => {
    const [, node] = devnet.network.nodes;
    const enr = ENR.decodeTxt(node?.enr ?? '');
    const socket = createSocket('udp4');
    const random = seededBytes();
    const sent = Array.from({ length: 200 }, () => {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      socket.send(random(), enr.udp, enr.ip, (error) => (error === null ? resolve() : reject(error)));
      return promise;
    });
    await Promise.all(sent);
    socket.close();
    // The first ping may find the node's receive buffer still full, as anybody's would.
    const pong = await vi.waitFor(() => discovery.sendPing(enr), { timeout: 10_000 });
    expect(pong).toMatchObject({ enrSeq: 1n });
  });
});

/** Datagrams of 0 to 1300 bytes; the same at each run. */
function seededBytes(): () => Buffer {
  let state = createHash('sha256').update('datagrams').digest();
  return () => {
    state = createHash('sha256').update(state).digest();
    return Buffer.alloc(state.readUInt16LE(0) % 1300, state);
  };
}
