import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { gossipsub } from '@chainsafe/libp2p-gossipsub';
import { noise } from '@chainsafe/libp2p-noise';
import { quic } from '@chainsafe/libp2p-quic';
import { yamux } from '@chainsafe/libp2p-yamux';
import { generateKeyPair } from '@libp2p/crypto/keys';
import { identify } from '@libp2p/identify';
import { tcp } from '@libp2p/tcp';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p, type Libp2p } from 'libp2p';
import { filter, firstValueFrom } from 'rxjs';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Host } from '../../../../src/io/network/libp2p/host.ts';
import type { PeerLink } from '../../../../src/streams/ports/peer-link.ts';
import { aHost, QUIC, TCP } from '../../../support/network/test-host.ts';

let host: Host;
const peers: Libp2p[] = [];
const sockets: Socket[] = [];

beforeAll(async () => {
  host = await aHost({ listen: [TCP, QUIC], agent: 'valtrack/test (mailto:ops@example.org)' });
});
afterEach(async () => {
  await Promise.all(peers.splice(0).map((peer) => peer.stop()));
  for (const socket of sockets.splice(0)) socket.close();
});
afterAll(() => host.stop());

/** A peer that listens on both transports and is subscribed to these topics. */
async function aPeer(topics: readonly string[] = []): Promise<Libp2p> {
  const peer = await createLibp2p({
    privateKey: await generateKeyPair('secp256k1'),
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0', '/ip4/127.0.0.1/udp/0/quic-v1'] },
    transports: [tcp(), quic()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
    services: { identify: identify(), pubsub: gossipsub({ globalSignaturePolicy: 'StrictNoSign' }) },
  });
  for (const topic of topics) peer.services.pubsub.subscribe(topic);
  peers.push(peer);
  return peer;
}

function addressOf({ addresses }: { readonly addresses: readonly string[] }, transport: 'tcp' | 'quic'): string {
  const pattern = transport === 'tcp' ? /\/tcp\/\d+/ : /\/quic-v1/;
  return addresses.find((address) => pattern.test(address))?.replace(/\/p2p\/.*/, '') ?? '';
}

const listening = (peer: Libp2p) => ({ addresses: peer.getMultiaddrs().map((address) => address.toString()) });

/** The multiaddr of a UDP port that takes what comes and answers nothing, as behind a firewall. */
async function silentQuic(): Promise<string> {
  const socket = createSocket('udp4');
  sockets.push(socket);
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return `/ip4/127.0.0.1/udp/${socket.address().port}/quic-v1`;
}

async function dialled(peer: Libp2p, addresses: readonly string[]): Promise<PeerLink> {
  const outcome = await firstValueFrom(host.dial({ peerId: peer.peerId.toString(), addresses, enr: null }));
  if (!outcome.ok) throw new Error(`${outcome.failure.cause}: ${outcome.failure.detail}`);
  return outcome.value;
}

describe('QUIC', () => {
  it('reaches a peer, hello and identify included', async () => {
    const topic = '/eth2/8c9f62fe/beacon_attestation_5/ssz_snappy';
    const peer = await aPeer([topic]);
    const address = addressOf(listening(peer), 'quic');
    const link = await dialled(peer, [address, addressOf(listening(peer), 'tcp')]);
    expect(link).toMatchObject({ transport: 'quic', direction: 'outbound', address });
    expect((await firstValueFrom(link.subscriptions$)).changes).toEqual([{ topic, subscribe: true }]);
    expect(await firstValueFrom(link.identify())).toMatchObject({ ok: true });
    link.leave('visited');
    await vi.waitFor(() => expect(peer.getConnections()).toHaveLength(0));
  });

  it('that is swallowed leaves time for TCP', async () => {
    const peer = await aPeer();
    const tcpAddress = addressOf(listening(peer), 'tcp');
    const startedMs = Date.now();
    const link = await dialled(peer, [await silentQuic(), tcpAddress]);
    expect(link).toMatchObject({ transport: 'tcp', address: tcpAddress });
    // The dial stage gives up after ten seconds.
    expect(Date.now() - startedMs).toBeLessThan(8_000);
    link.leave('visited');
  });

  it('to another peer than the one meant is a mismatch', async () => {
    const [peer, other] = [await aPeer(), await aPeer()];
    const outcome = await firstValueFrom(
      host.dial({ peerId: peer.peerId.toString(), addresses: [addressOf(listening(other), 'quic')], enr: null }),
    );
    expect(outcome).toMatchObject({ ok: false, failure: { stage: 'security', cause: 'peer_id_mismatch' } });
  });

  it('is listened on', async () => {
    const peer = await aPeer();
    const arriving = firstValueFrom(host.inbound$.pipe(filter(({ peerId }) => peerId === peer.peerId.toString())));
    await peer.dial(multiaddr(`${addressOf(host, 'quic')}/p2p/${host.peerId}`));
    const link = await arriving;
    expect(link).toMatchObject({ transport: 'quic', direction: 'inbound' });
    link.leave('visited');
    await vi.waitFor(async () => expect((await host.held()).connections).toBe(0));
  });
});

describe('a connected peer', () => {
  it('is told who we are and whom to ask', async () => {
    const peer = await aPeer();
    const link = await dialled(peer, [addressOf(listening(peer), 'tcp')]);
    await vi.waitFor(async () => {
      const [us] = peer.getPeers();
      if (us === undefined) throw new Error('not connected');
      const known = await peer.peerStore.get(us);
      expect(new TextDecoder().decode(known.metadata.get('AgentVersion'))).toBe(
        'valtrack/test (mailto:ops@example.org)',
      );
    });
    link.leave('visited');
  });
});
