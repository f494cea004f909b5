import type { Connection, Stream } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import { filter, firstValueFrom, take, timer, toArray } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Host } from '../../../../src/io/network/libp2p/host.ts';
import { encodeRequest } from '../../../../src/io/network/reqresp/payload.ts';
import type { PeerLink } from '../../../../src/streams/ports/peer-link.ts';
import { type BarePeer, type BarePeerOptions, type Carrier, collect } from '../../../support/network/bare-peer.ts';
import { type Negotiator, negotiator } from '../../../support/network/negotiating.ts';
import { quicSpy } from '../../../support/network/quic-spy.ts';
import { aHost, NOTHING_HELD, QUIC, TCP, visitTo } from '../../../support/network/test-host.ts';

const request = (method: string) => `/eth2/beacon_chain/req/${method}/ssz_snappy`;
const STATUS_2 = encodeRequest(new Uint8Array(92));
const PRYSM = 'Prysm/v7.1.2/c40b59a';
const GOODBYE_1 = '0100000000000000';

let host: Host;
const peers: BarePeer[] = [];

beforeEach(async () => {
  host = await aHost({ listen: [TCP, QUIC] });
});
afterEach(async () => {
  await Promise.all(peers.splice(0).map((peer) => peer.stop()));
  await host.stop();
});

async function aNegotiator(carrier: Carrier, options: BarePeerOptions = {}): Promise<Negotiator> {
  const made = await negotiator(carrier, options);
  peers.push(made.peer);
  return made;
}

/** Where the host listens for this carrier. */
const addressFor = (carrier: Carrier) =>
  host.addresses.filter((address) => address.includes('quic-v1') === (carrier === 'quic'));

/** The peer's connection to the host, and the host's side of it. */
async function dialledBy(peer: BarePeer, carrier: Carrier): Promise<{ connection: Connection; link: PeerLink }> {
  const arriving = firstValueFrom(host.inbound$.pipe(filter(({ peerId }) => peerId === peer.peerId)));
  const connection = await peer.dial(addressFor(carrier));
  return { connection, link: await arriving };
}

async function askStatus(connection: Connection): Promise<Buffer> {
  const stream = await connection.newStream(request('status/2'));
  const [, answer] = await Promise.all([stream.sink([STATUS_2]), collect(stream.source)]);
  return answer;
}

/** Takes down each Goodbye that comes, as `read` lets it be read; closes the connection if asked to. */
async function hearGoodbyes(peer: BarePeer, { delayMs = 0, closes = true } = {}): Promise<string[]> {
  const heard: string[] = [];
  await peer.serve(request('goodbye/1'), async (stream: Stream, connection: Connection) => {
    await firstValueFrom(timer(delayMs));
    heard.push((await collect(stream.source)).toString('hex').slice(-16));
    if (closes) connection.abort(new Error('told'));
  });
  return heard;
}

describe.each<Carrier>(['yamux', 'mplex', 'quic'])('leaving a connection over %s', (carrier) => {
  it('ends a stream that is being negotiated by the end of the connection, and by nothing on the stream', async () => {
    const ends = await Promise.all(
      [1, 2].map(async () => {
        const { peer, negotiate } = await aNegotiator(carrier);
        const { connection, link } = await dialledBy(peer, carrier);
        const { ended } = await negotiate(connection);
        link.leave('declined');
        const end = await ended;
        await vi.waitFor(() => expect(connection.status).toBe('closed'));
        return end;
      }),
    );
    expect(ends).toEqual(['connection ended', 'connection ended']);
  });

  it('answers a Status that is asked just then', async () => {
    const { peer } = await aNegotiator(carrier);
    const { connection, link } = await dialledBy(peer, carrier);
    link.leave('declined');
    expect((await askStatus(connection))[0]).toBe(0);
    expect((await askStatus(connection))[0]).toBe(0);
    await vi.waitFor(() => expect(connection.status).toBe('closed'));
  });

  it.each([0, 400, 900])('says a Goodbye that is read whole %i ms later', async (delayMs) => {
    const { peer } = await aNegotiator(carrier, { agent: PRYSM });
    const heard = await hearGoodbyes(peer, { delayMs });
    const outcome = await firstValueFrom(host.dial({ peerId: peer.peerId, addresses: [peer.address], enr: null }));
    if (!outcome.ok) throw new Error(outcome.failure.detail);
    await firstValueFrom(outcome.value.identify());
    outcome.value.leave('visited');
    await vi.waitFor(async () => expect((await host.held()).connections).toBe(0));
    await vi.waitFor(() => expect(heard).toEqual([GOODBYE_1]));
  });

  it('says one Goodbye to a peer that has several connections', async () => {
    const { peer } = await aNegotiator(carrier, { agent: PRYSM });
    const heard = await hearGoodbyes(peer);
    const arriving = firstValueFrom(host.inbound$.pipe(take(3), toArray()));
    const to = addressFor(carrier).map((address) => multiaddr(address));
    for (let each = 0; each < 3; each++) await peer.libp2p.dial(to, { force: true });
    const links = await arriving;
    for (const link of links) await firstValueFrom(link.identify());
    for (const link of links) link.leave('declined');
    await vi.waitFor(async () => expect((await host.held()).connections).toBe(0));
    expect(heard).toHaveLength(1);
  });

  it.each(['Lighthouse/v8.0.1-ced49dd', 'lodestar/v1.44.0', 'erigon/caplin'])('says none to %s', async (agent) => {
    const { peer } = await aNegotiator(carrier, { agent });
    const heard = await hearGoodbyes(peer);
    const { connection, link } = await dialledBy(peer, carrier);
    expect(await firstValueFrom(link.identify())).toMatchObject({ ok: true, value: { agent } });
    link.leave('declined');
    await vi.waitFor(() => expect(connection.status).toBe('closed'));
    expect(heard).toEqual([]);
  });

  it('gives a dial that comes meanwhile a connection that lasts', async () => {
    const { peer } = await aNegotiator(carrier, { agent: PRYSM });
    await hearGoodbyes(peer, { delayMs: 500 });
    const first = await visitTo(host, peer);
    await firstValueFrom(first.identify());
    first.leave('visited');
    // At first it is taken over; once a Goodbye is said it has to end.
    const second = await visitTo(host, peer);
    second.leave('visited');
    await firstValueFrom(timer(400));
    const third = await visitTo(host, peer);
    expect(third.openedMs).toBeGreaterThan(first.openedMs);
    await firstValueFrom(timer(1_500));
    expect(await firstValueFrom(third.identify())).toMatchObject({ ok: true });
    third.leave('visited');
  });
});

describe('the end of a host', () => {
  it.each<Carrier>(['yamux', 'mplex', 'quic'])(
    'over %s says nothing on a stream that is being negotiated',
    async (carrier) => {
      const { peer, negotiate } = await aNegotiator(carrier);
      const { connection } = await dialledBy(peer, carrier);
      const { ended } = await negotiate(connection);
      await host.stop();
      expect(await ended).toBe('connection ended');
    },
  );

  it('leaves everybody within two seconds, whatever they do, and keeps nothing', async () => {
    const carriers: readonly Carrier[] = ['yamux', 'mplex', 'quic'];
    const made = await Promise.all(
      carriers.flatMap((each) => [each, each]).map((each) => aNegotiator(each, { agent: PRYSM })),
    );
    const links: PeerLink[] = [];
    host.inbound$.subscribe((link) => links.push(link));
    const ends = await Promise.all(
      made.map(async ({ peer, negotiate }, index) => {
        // Half of them never read what they are told.
        if (index % 2) await peer.serve(request('goodbye/1'), () => undefined);
        else await hearGoodbyes(peer);
        const connection = await peer.dial(addressFor(carriers[index >> 1] ?? 'yamux'));
        return negotiate(connection);
      }),
    );
    await vi.waitFor(() => expect(links).toHaveLength(6));
    await Promise.all(links.map((link) => firstValueFrom(link.identify())));
    const startedMs = Date.now();
    await host.leaveAll();
    expect(Date.now() - startedMs).toBeLessThan(2_500);
    expect(await Promise.all(ends.map(({ ended }) => ended))).toEqual(
      Array.from({ length: 6 }, () => 'connection ended'),
    );
    await vi.waitFor(async () => expect(await host.held()).toEqual(NOTHING_HELD));
  });
});

describe('a host that is full', () => {
  it('turns away who comes, and ends no connection that it has', async () => {
    const full = await aHost({ maxConnections: 2 });
    full.inbound$.subscribe();
    const made = await Promise.all(Array.from({ length: 5 }, () => aNegotiator('yamux')));
    const dials = [];
    for (const { peer } of made) dials.push(await peer.dial(full.addresses).catch((error: Error) => error));
    const kept = dials.filter((dial): dial is Connection => !(dial instanceof Error)).slice(0, 2);
    await vi.waitFor(async () => expect((await full.held()).connections).toBe(2));
    // A dial of its own goes beyond, and costs nobody a connection.
    const { peer } = await aNegotiator('yamux');
    const outcome = await firstValueFrom(full.dial({ peerId: peer.peerId, addresses: [peer.address], enr: null }));
    expect(outcome).toMatchObject({ ok: true });
    await firstValueFrom(timer(500));
    expect(kept.map(({ status }) => status)).toEqual(['open', 'open']);
    await full.stop();
  });
});

describe('the end of a QUIC connection', () => {
  it('is told to the other side at once, and as one', async () => {
    const spy = await quicSpy();
    const { peer } = await aNegotiator('quic');
    const { link } = await dialledBy(peer, 'quic');
    const native = spy.connectionsWith(host.peerId).at(-1);
    link.leave('declined');
    await native?.closed();
    expect(native?.stats()).toMatchObject({ frameRxConnectionClose: 1, frameRxResetStream: 0 });
  });
});

describe('who connects while nobody looks at inbound connections', () => {
  it('is answered and left', async () => {
    const { peer } = await aNegotiator('yamux');
    const connection = await peer.dial(addressFor('yamux'));
    expect((await askStatus(connection))[0]).toBe(0);
    await vi.waitFor(() => expect(connection.status).toBe('closed'));
    await vi.waitFor(async () => expect(await host.held()).toEqual(NOTHING_HELD));
  });
});
