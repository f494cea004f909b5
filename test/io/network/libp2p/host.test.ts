import { createServer } from 'node:net';
import type { Connection } from '@libp2p/interface';
import { filter, firstValueFrom, merge, timer, toArray } from 'rxjs';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Outcome } from '../../../../src/consensus/failure.ts';
import type { Host } from '../../../../src/io/network/libp2p/host.ts';
import { encodeRequest } from '../../../../src/io/network/reqresp/payload.ts';
import type { PeerLink, SubscriptionRpc } from '../../../../src/streams/ports/peer-link.ts';
import { type BarePeer, type BarePeerOptions, barePeer, collect } from '../../../support/network/bare-peer.ts';
import { aHost, NOTHING_HELD as NOTHING, EMPTY_STATUS as STATUS } from '../../../support/network/test-host.ts';
import { tcpServerOn } from '../../../support/open-handles.ts';

const TOPICS = [0, 1, 2].map((subnet) => `/eth2/8c9f62fe/beacon_attestation_${subnet}/ssz_snappy`);
const GOODBYE = '/eth2/beacon_chain/req/goodbye/1/ssz_snappy';

let host: Host;
const peers: BarePeer[] = [];

beforeAll(async () => {
  host = await aHost();
});
afterEach(async () => {
  await Promise.all(peers.splice(0).map((peer) => peer.stop()));
});
afterAll(async () => {
  await host.stop();
});

async function aPeer(options?: BarePeerOptions): Promise<BarePeer> {
  const peer = await barePeer(options);
  peers.push(peer);
  return peer;
}

const at = (peerId: string, addresses: readonly string[]) => ({ peerId, addresses, enr: null });
const target = ({ peerId, address }: BarePeer) => at(peerId, [address]);

function linkIn(outcome: Outcome<PeerLink>): PeerLink {
  if (!outcome.ok) throw new Error(`${outcome.failure.cause}: ${outcome.failure.detail}`);
  return outcome.value;
}

const dialled = async (peer: BarePeer) => linkIn(await firstValueFrom(host.dial(target(peer))));

/** The peer's side of its connection with the host, which learns of it a moment later than the host does. */
function connectionOf(peer: BarePeer): Promise<Connection> {
  return vi.waitFor(() => {
    const [connection] = peer.libp2p.getConnections();
    if (connection === undefined) throw new Error('not connected');
    return connection;
  });
}

async function sayGoodbye(connection: Connection, reason: bigint): Promise<void> {
  const body = Buffer.alloc(8);
  body.writeBigUInt64LE(reason);
  const stream = await connection.newStream(GOODBYE);
  await Promise.all([stream.sink([encodeRequest(body)]), collect(stream.source)]);
}

/** A loopback port where nobody listens. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

describe('dialling', () => {
  it('gives a link to the peer', async () => {
    const peer = await aPeer();
    const beforeMs = Date.now();
    const link = await dialled(peer);
    expect(link).toMatchObject({
      peerId: peer.peerId,
      address: peer.address,
      direction: 'outbound',
      transport: 'tcp',
    });
    expect(link.openedMs).toBeGreaterThanOrEqual(beforeMs);
    expect(link.openedMs).toBeLessThanOrEqual(Date.now());
    expect((await connectionOf(peer)).remotePeer.toString()).toBe(host.peerId);
    link.leave('visited');
    await vi.waitFor(() => expect(peer.libp2p.getConnections()).toHaveLength(0));
  });

  it('works over either muxer', async () => {
    for (const muxer of ['yamux', 'mplex'] as const) {
      const peer = await aPeer({ muxer });
      const link = await dialled(peer);
      expect(await firstValueFrom(link.status(STATUS))).toMatchObject({
        ok: false,
        failure: { stage: 'status', cause: 'protocol_unsupported' },
      });
      link.leave('visited');
    }
  });

  it('a port where nobody listens is refused', async () => {
    const peer = await aPeer();
    const address = `/ip4/127.0.0.1/tcp/${await closedPort()}`;
    const outcome = await firstValueFrom(host.dial(at(peer.peerId, [address])));
    expect(outcome).toMatchObject({ ok: false, failure: { stage: 'dial', cause: 'refused' } });
  });

  it('another peer at the address is a mismatch', async () => {
    const [peer, other] = [await aPeer(), await aPeer()];
    const outcome = await firstValueFrom(host.dial(at(peer.peerId, [other.address])));
    expect(outcome).toMatchObject({ ok: false, failure: { stage: 'security', cause: 'peer_id_mismatch' } });
    await vi.waitFor(() => expect(other.libp2p.getConnections()).toHaveLength(0));
  });

  it('takes the next address when another peer answers at the first', async () => {
    const [peer, other] = [await aPeer(), await aPeer()];
    const addresses = [other.address, peer.address];
    for (const inOrder of [addresses, addresses.toReversed()]) {
      const link = linkIn(await firstValueFrom(host.dial(at(peer.peerId, inOrder))));
      expect(link).toMatchObject({ peerId: peer.peerId, address: peer.address });
      link.leave('visited');
      await vi.waitFor(async () => expect((await host.held()).connections).toBe(0));
    }
  });

  it('takes the next address when the first fails', async () => {
    const peer = await aPeer();
    const addresses = [`/ip4/127.0.0.1/tcp/${await closedPort()}`, peer.address];
    const link = linkIn(await firstValueFrom(host.dial(at(peer.peerId, addresses))));
    expect(link.address).toBe(peer.address);
    link.leave('visited');
  });

  it('something that is no libp2p peer is a failure of the security handshake', async () => {
    const server = createServer((socket) => socket.resume().end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const peer = await aPeer();
    const outcome = await firstValueFrom(host.dial(at(peer.peerId, [`/ip4/127.0.0.1/tcp/${port}`])));
    expect(outcome).toMatchObject({ ok: false, failure: { stage: 'security', cause: 'noise_failed' } });
    await new Promise((resolve) => server.close(resolve));
  });

  it.each([
    ['no address', []],
    ['an address that is none', ['/ip4/127.0.0.1/tcp/99999', '/tcp/', '/ip4/999.0.0.1/tcp/1']],
  ])('%s is no address', async (_, addresses) => {
    const peer = await aPeer();
    const outcome = await firstValueFrom(host.dial(at(peer.peerId, addresses)));
    expect(outcome).toMatchObject({ ok: false, failure: { stage: 'dial', cause: 'no_address' } });
  });

  it('ourselves is refused', async () => {
    const outcome = await firstValueFrom(host.dial(at(host.peerId, host.addresses)));
    expect(outcome).toMatchObject({ ok: false, failure: { stage: 'dial', cause: 'self' } });
  });

  it('a peer id that is none fails without an error', async () => {
    const outcome = await firstValueFrom(host.dial(at('nobody', ['/ip4/127.0.0.1/tcp/1'])));
    expect(outcome).toMatchObject({ ok: false, failure: { stage: 'dial' } });
  });

  it('given up at any moment leaves no connection behind', async () => {
    const peer = await aPeer();
    const emitted: unknown[] = [];
    const moments = Array.from({ length: 30 }, (_, index) => index);
    for (const moment of moments) {
      const giveUp = merge(timer(moment), firstOf(peer.libp2p, 'connection:open'));
      const dialling = host.dial(target(peer)).subscribe((outcome) => emitted.push(outcome));
      await firstValueFrom(giveUp);
      dialling.unsubscribe();
      for (const outcome of emitted.splice(0)) linkIn(outcome as Outcome<PeerLink>).leave('visited');
      await vi.waitFor(async () => expect((await host.held()).connections).toBe(0), { timeout: 5_000 });
    }
    await vi.waitFor(() => expect(peer.libp2p.getConnections()).toHaveLength(0));
  });
});

/** The next event of a libp2p node, as an observable. */
function firstOf(libp2p: BarePeer['libp2p'], type: 'connection:open') {
  return new Promise<void>((resolve) => libp2p.addEventListener(type, () => resolve(), { once: true }));
}

describe('an inbound connection', () => {
  it('is a link of its own', async () => {
    const peer = await aPeer({ topics: [TOPICS[1] ?? ''] });
    const arriving = firstValueFrom(host.inbound$.pipe(filter(({ peerId }) => peerId === peer.peerId)));
    const connection = await peer.dial(host.addresses);
    const link = await arriving;
    expect(link).toMatchObject({ peerId: peer.peerId, direction: 'inbound', transport: 'tcp' });
    expect(link.address).toMatch(/^\/ip4\/127\.0\.0\.1\/tcp\/\d+$/);
    expect(link.address).not.toBe(peer.address);
    const identity = await firstValueFrom(link.identify());
    expect(identity).toMatchObject({ ok: true, value: { listenAddresses: [peer.address] } });
    expect((await firstValueFrom(link.subscriptions$)).changes).toEqual([{ topic: TOPICS[1], subscribe: true }]);

    // Dialling a peer that is connected gives the connection that there is.
    const shared = await dialled(peer);
    expect(shared).toMatchObject({ direction: 'inbound', address: link.address });
    // It is not cut off while somebody uses it.
    link.leave('declined');
    await firstValueFrom(timer(1_000));
    expect(await firstValueFrom(shared.identify())).toMatchObject({ ok: true });
    expect(connection.status).toBe('open');
    shared.leave('visited');
    await vi.waitFor(() => expect(connection.status).toBe('closed'));
  });
});

describe('subscriptions', () => {
  it('said before anybody listened are not lost', async () => {
    const peer = await aPeer({ topics: [TOPICS[0] ?? '', TOPICS[2] ?? ''] });
    const link = await dialled(peer);
    await vi.waitFor(async () => expect((await host.held()).gossipPeers).toBe(1));
    const hello = await firstValueFrom(link.subscriptions$);
    expect(hello.changes).toEqual([TOPICS[0], TOPICS[2]].map((topic) => ({ topic, subscribe: true })));
    link.leave('visited');
  });

  it('outlive the connection for the link that was there', async () => {
    const peer = await aPeer({ topics: [TOPICS[0] ?? ''] });
    const link = await dialled(peer);
    await firstValueFrom(link.subscriptions$);
    await sayGoodbye(await connectionOf(peer), 129n);
    await peer.stop();
    expect(await firstValueFrom(link.closed$)).toMatchObject({ cause: 'too_many_peers' });
    await vi.waitFor(async () => expect(await host.held()).toEqual(NOTHING));
    expect(await firstValueFrom(link.subscriptions$)).toMatchObject({ changes: [{ topic: TOPICS[0] }] });
  });
});

describe('the end of a connection', () => {
  it.each([
    [129n, 'too_many_peers'],
    [2n, 'irrelevant_network'],
    [251n, 'banned'],
    [1n, 'eof'],
  ])('after Goodbye %i says %s', async (reason, cause) => {
    const peer = await aPeer();
    const link = await dialled(peer);
    const connection = await connectionOf(peer);
    await sayGoodbye(connection, reason);
    await connection.close();
    expect(await firstValueFrom(link.closed$)).toEqual({ stage: 'identify', cause, detail: `goodbye ${reason}` });
    // It is told to whoever asks later, too.
    expect(await firstValueFrom(link.closed$)).toMatchObject({ cause });
  });

  it('without a Goodbye says so, whether it is closed or cut', async () => {
    for (const end of ['close', 'abort'] as const) {
      const peer = await aPeer();
      const link = await dialled(peer);
      const connection = await connectionOf(peer);
      if (end === 'close') await connection.close();
      else connection.abort(new Error('cut'));
      expect(await firstValueFrom(link.closed$)).toMatchObject({ cause: 'eof', detail: 'closed by the peer' });
    }
  });

  it('does not carry the Goodbye of an earlier connection of the same peer', async () => {
    const peer = await aPeer();
    const first = await dialled(peer);
    await sayGoodbye(await connectionOf(peer), 129n);
    await (await connectionOf(peer)).close();
    await firstValueFrom(first.closed$);
    await vi.waitFor(async () => expect((await host.held()).connections).toBe(0));
    const second = await dialled(peer);
    await (await connectionOf(peer)).close();
    expect(await firstValueFrom(second.closed$)).toMatchObject({ cause: 'eof' });
  });

  it('interrupts a request', async () => {
    const peer = await aPeer();
    const asked = Promise.withResolvers<void>();
    await peer.serve('/eth2/beacon_chain/req/status/2/ssz_snappy', () => asked.resolve());
    const link = await dialled(peer);
    const answer = firstValueFrom(link.status(STATUS).pipe(toArray()));
    await asked.promise;
    (await connectionOf(peer)).abort(new Error('cut'));
    const [outcome] = await answer;
    expect(outcome).toMatchObject({ ok: false, failure: { stage: 'status' } });
    expect(['reset', 'eof']).toContain(outcome?.ok === false ? outcome.failure.cause : '');
    expect(await firstValueFrom(link.metaData())).toMatchObject({
      ok: false,
      failure: { stage: 'metadata', cause: 'eof' },
    });
    expect(await firstValueFrom(link.identify())).toMatchObject({
      ok: false,
      failure: { stage: 'identify', cause: 'eof' },
    });
  });
});

describe('after many connections', () => {
  it('nothing is kept of any of the peers', async () => {
    const topics = [TOPICS[0] ?? ''];
    const many = await Promise.all(Array.from({ length: 30 }, () => aPeer({ topics })));
    const heard: SubscriptionRpc[] = [];
    const inbound = host.inbound$.subscribe((link) => link.leave('visited'));
    for (let round = 0; round < 5; round++) {
      await Promise.all(
        many.map(async (peer, index) => {
          const way = (index + round) % 5;
          if (way === 0 && index < 10) return void (await peer.dial(host.addresses));
          const link = await dialled(peer);
          if (way === 1) await firstValueFrom(link.identify());
          if (way === 2) heard.push(await firstValueFrom(link.subscriptions$));
          if (way === 3) return (await connectionOf(peer)).abort(new Error('cut'));
          if (way === 4) await sayGoodbye(await connectionOf(peer), 129n);
          link.leave('visited');
        }),
      );
      await vi.waitFor(async () => expect((await host.held()).connections).toBe(0), { timeout: 10_000 });
    }
    inbound.unsubscribe();
    expect(heard.length).toBe(30);
    await vi.waitFor(async () => expect(await host.held()).toEqual(NOTHING), { timeout: 10_000 });
  });
});

it('tells when it no longer listens, but not of its own end', async () => {
  const started = await aHost();
  const failures: unknown[] = [];
  started.failed$.subscribe({ error: (error: unknown) => failures.push(error) });
  host.failed$.subscribe({ error: (error: unknown) => failures.push(error) });
  tcpServerOn(Number(/tcp\/(\d+)/.exec(started.addresses[0] ?? '')?.[1])).close();
  await vi.waitFor(() => expect(failures).toEqual([new Error('no longer listening on one of its addresses')]));
  await started.stop();
  expect(failures).toHaveLength(1);
});
