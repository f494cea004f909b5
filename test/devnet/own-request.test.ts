import type { Connection, Libp2p, Stream } from '@libp2p/interface';
import { afterEach, describe, expect, it } from 'vitest';
import { askPeer } from '../../src/devnet/own-request.ts';
import { PING_0, protocol } from '../support/devnet/plain-peer.ts';
import { rawPeer } from '../support/devnet/raw-peer.ts';

/** How a node sees its requests end, at a peer that ends them in every way there is, over both muxers. */

const started: Libp2p[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((peer) => peer.stop()));
});

type Muxer = 'yamux' | 'mplex';
type Serve = (stream: Stream, connection: Connection) => void | Promise<void>;
const PING = { methods: ['ping/1' as const], body: new Uint8Array(8), answerBytes: () => 8 };
const NEVER = new AbortController().signal;

async function connect(muxer: Muxer, peer: Libp2p): Promise<Connection> {
  const node = await rawPeer(muxer, null);
  started.push(node, peer);
  const [address] = peer.getMultiaddrs();
  if (address === undefined) throw new Error('the peer listens nowhere');
  return await node.dial(address);
}
/** A peer that acts on raw streams. */
const withRaw = async (muxer: Muxer, onStream: (stream: Stream, peer: Libp2p) => void) => {
  const peer: Libp2p = await rawPeer(muxer, (stream) => onStream(stream, peer));
  return await askPeer(await connect(muxer, peer), PING, NEVER);
};
/** A peer that speaks the protocol and then acts. */
const withServed = async (muxer: Muxer, serve: Serve) => {
  const peer = await rawPeer(muxer, null);
  await peer.handle(protocol('ping/1'), ({ stream, connection }) => void serve(stream, connection));
  return await askPeer(await connect(muxer, peer), PING, NEVER);
};
const bytes = (hex: string) => [Buffer.from(hex, 'hex')];
const abortAll = (peer: Libp2p) => {
  for (const connection of peer.getConnections()) connection.abort(new Error('gone'));
};

describe.each<Muxer>(['yamux', 'mplex'])('over %s, a request is seen to end', (muxer) => {
  it('by a FIN in the middle of its negotiation', async () => {
    const { end, wasLast } = await withRaw(muxer, (stream) => void stream.sink([]));
    expect([end, wasLast]).toEqual([{ how: 'fin-in-negotiation' }, false]);
  });

  it('by a FIN after the header alone', async () => {
    const { end } = await withRaw(muxer, (stream) => void stream.sink([Buffer.from('\x13/multistream/1.0.0\n')]));
    expect(end).toEqual({ how: 'fin-in-negotiation' });
  });

  it('by a FIN that comes with the end of the connection, as the crawler once ended it', async () => {
    const { end, wasLast } = await withRaw(muxer, (stream, peer) => {
      stream.sink([]).finally(() => peer.getConnections().map((connection) => connection.close()));
    });
    expect([end, wasLast]).toEqual([{ how: 'fin-in-negotiation' }, true]);
  });

  it('by a reset in the middle of its negotiation', async () => {
    const { end } = await withRaw(muxer, (stream) => stream.abort(new Error('no')));
    expect(end).toEqual({ how: 'reset-in-negotiation' });
  });

  it('by the end of the connection in the middle of its negotiation', async () => {
    const { end } = await withRaw(muxer, (_stream, peer) => abortAll(peer));
    expect(end).toEqual({ how: 'disconnected', negotiated: false });
  });

  it('before it begins, on a connection that is gone', async () => {
    const connection = await connect(muxer, await rawPeer(muxer, null));
    await connection.close();
    expect((await askPeer(connection, PING, NEVER)).end).toEqual({ how: 'disconnected', negotiated: false });
  });

  it('as not spoken', async () => {
    const connection = await connect(muxer, await rawPeer(muxer, null));
    expect((await askPeer(connection, PING, NEVER)).end).toEqual({ how: 'not-spoken' });
  });

  it('without a byte of an answer', async () => {
    const { end } = await withServed(muxer, (stream) => stream.sink([]));
    expect(end).toEqual({ how: 'empty' });
  });

  it('within an answer', async () => {
    const { end } = await withServed(muxer, (stream) => stream.sink(bytes(`00${PING_0.slice(0, 20)}`)));
    expect(end).toEqual({ how: 'incomplete' });
  });

  it('by a reset in place of an answer', async () => {
    const { end } = await withServed(muxer, (stream) => stream.abort(new Error('no')));
    expect(end).toEqual({ how: 'reset' });
  });

  it('by the end of the connection in place of an answer', async () => {
    const { end } = await withServed(muxer, (_stream, connection) => connection.abort(new Error('gone')));
    expect(end).toEqual({ how: 'disconnected', negotiated: true });
  });

  it.each([1, 3, 139])('by result code %i', async (code) => {
    const { end } = await withServed(muxer, (stream) => stream.sink([Buffer.from([code])]));
    expect(end).toEqual({ how: 'refused', code });
  });

  it('by an answer that is none', async () => {
    const { end } = await withServed(muxer, (stream) => stream.sink(bytes(`0009${PING_0.slice(2)}`)));
    expect(end).toEqual({ how: 'malformed' });
  });

  it('by an answer', async () => {
    const { end, body, method } = await withServed(muxer, (stream) => stream.sink(bytes(`00${PING_0}`)));
    expect([end, body?.toString('hex'), method]).toEqual([{ how: 'answered' }, '00'.repeat(8), 'ping/1']);
  });

  it('with the next version, where the peer does not speak the newest', async () => {
    const peer = await rawPeer(muxer, null);
    await peer.handle(protocol('metadata/1'), ({ stream }) => void stream.sink(bytes(`00${PING_0}`)));
    const request = { methods: ['metadata/3', 'metadata/2', 'metadata/1'] as const, body: new Uint8Array() };
    const { end, method } = await askPeer(await connect(muxer, peer), { ...request, answerBytes: () => 8 }, NEVER);
    expect([end, method]).toEqual([{ how: 'answered' }, 'metadata/1']);
  });
});
