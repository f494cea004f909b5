import { generateKeyPair } from '@libp2p/crypto/keys';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { createLibp2p, type Libp2p } from 'libp2p';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { keepOnlyConnected } from '../../../../src/io/network/libp2p/forgetful-store.ts';
import type { Host } from '../../../../src/io/network/libp2p/host.ts';
import { barePeer } from '../../../support/network/bare-peer.ts';
import { aHost, NOTHING_HELD } from '../../../support/network/test-host.ts';

describe('a store that keeps only who is connected', () => {
  let node: Libp2p;
  let isConnected: boolean;
  let forget: ReturnType<typeof keepOnlyConnected>;
  const someone = async () => peerIdFromPrivateKey(await generateKeyPair('secp256k1'));

  beforeEach(async () => {
    node = await createLibp2p({ start: false });
    isConnected = true;
    forget = keepOnlyConnected(node.peerStore, (peerId) => isConnected || peerId.equals(node.peerId));
  });

  it.each(['save', 'patch', 'merge'] as const)('forgets what %s writes of somebody who has gone', async (way) => {
    const peerId = await someone();
    await node.peerStore[way](peerId, { protocols: ['/x/1'] });
    expect((await node.peerStore.get(peerId)).protocols).toEqual(['/x/1']);
    isConnected = false;
    expect((await node.peerStore[way](peerId, { protocols: ['/y/1'] })).protocols).toContain('/y/1');
    expect(await node.peerStore.has(peerId)).toBe(false);
  });

  it('forgets who disconnects, unless there is another connection', async () => {
    const peerId = await someone();
    await node.peerStore.merge(peerId, { protocols: ['/x/1'] });
    await forget(peerId);
    expect(await node.peerStore.has(peerId)).toBe(true);
    isConnected = false;
    await forget(peerId);
    expect(await node.peerStore.has(peerId)).toBe(false);
  });

  it('keeps what it says of itself', async () => {
    isConnected = false;
    await node.peerStore.merge(node.peerId, { protocols: ['/x/1'] });
    expect((await node.peerStore.get(node.peerId)).protocols).toContain('/x/1');
  });
});

describe('a host whose peers break off', () => {
  let host: Host;
  beforeEach(async () => {
    host = await aHost();
    host.inbound$.subscribe((link) => link.leave('declined'));
  });
  afterEach(async () => {
    await host.stop();
  });

  it('keeps nothing of them, whatever was being agreed on', async () => {
    for (let round = 0; round < 60; round++) {
      const peer = await barePeer({ topics: ['/x'] });
      const connection = await peer.dial(host.addresses);
      const opening = ['ping/1', 'status/2', 'metadata/3'].map((method) =>
        connection.newStream(`/eth2/beacon_chain/req/${method}/ssz_snappy`).catch(() => undefined),
      );
      // Each at another moment of the negotiation.
      for (let turn = 0; turn < round; turn++) await Promise.resolve();
      connection.abort(new Error('break off'));
      await Promise.all(opening);
      await peer.stop();
    }
    await vi.waitFor(async () => expect(await host.held()).toEqual(NOTHING_HELD));
  });
});
