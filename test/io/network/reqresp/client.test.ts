import type { Connection, Stream } from '@libp2p/interface';
import { firstValueFrom, NEVER, takeUntil, timer } from 'rxjs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Request, request } from '../../../../src/io/network/reqresp/client.ts';
import { encodeErrorResponse, encodeResponse } from '../../../../src/io/network/reqresp/payload.ts';
import { fromAbortable } from '../../../../src/streams/flow/from-abortable.ts';
import { type BarePeer, barePeer, collect, type Muxer } from '../../../support/network/bare-peer.ts';

const PROTOCOLS = ['/test/3', '/test/2', '/test/1'];
const BODY = new Uint8Array(8).fill(7);
const hex = (text: string) => Buffer.from(text, 'hex');
const LONG_MS = 20_000;

const ask: Request = {
  stage: 'metadata',
  protocols: PROTOCOLS,
  body: () => BODY,
  answerBytes: (protocol) => Number(protocol.at(-1)) * 8,
};

describe.each<Muxer>(['yamux', 'mplex'])('a request over %s', (muxer) => {
  let asker: BarePeer;
  let answerer: BarePeer;
  let connection: Connection;

  beforeAll(async () => {
    asker = await barePeer({ muxer });
    answerer = await barePeer({ muxer });
    connection = await asker.dial([answerer.address]);
  });
  afterAll(async () => {
    await asker.stop();
    await answerer.stop();
  });

  /** Teaches the answerer and asks it once. */
  async function asked(handler: (stream: Stream) => unknown, protocol = '/test/3', changes: Partial<Request> = {}) {
    for (const each of PROTOCOLS) if (each !== protocol) await answerer.libp2p.unhandle(each);
    await answerer.serve(protocol, handler);
    return await request(connection, { ...ask, ...changes }, AbortSignal.timeout(LONG_MS));
  }
  const openStreams = () => connection.streams.filter((stream) => stream.protocol?.startsWith('/test/')).length;

  it('brings the body, half-closed, and the answer', async () => {
    const received = Promise.withResolvers<Buffer>();
    const outcome = await asked(async (stream) => {
      received.resolve(await collect(stream.source));
      await stream.sink([encodeResponse(0, new Uint8Array(24).fill(9))]);
    });
    expect(outcome).toEqual({ ok: true, value: { protocol: '/test/3', bytes: new Uint8Array(24).fill(9) } });
    expect((await received.promise).toString('hex')).toMatch(/^08ff060000734e61507059/);
    await vi.waitFor(() => expect(openStreams()).toBe(0));
  });

  it('without a body is half-closed too', async () => {
    const outcome = await asked(
      async (stream) => {
        expect(await collect(stream.source)).toHaveLength(0);
        await stream.sink([encodeResponse(0, new Uint8Array(24))]);
      },
      '/test/3',
      { body: () => new Uint8Array(0) },
    );
    expect(outcome).toMatchObject({ ok: true });
  });

  it.each(['/test/2', '/test/1'])('falls back to %s where that is all that is spoken', async (protocol) => {
    const size = Number(protocol.at(-1)) * 8;
    const outcome = await asked((stream) => stream.sink([encodeResponse(0, new Uint8Array(size))]), protocol);
    expect(outcome).toMatchObject({ ok: true, value: { protocol, bytes: new Uint8Array(size) } });
  });

  it('of a protocol that is not spoken fails at once', async () => {
    const outcome = await asked(() => undefined, '/other/1');
    expect(outcome).toMatchObject({ ok: false, failure: { stage: 'metadata', cause: 'protocol_unsupported' } });
  });

  it.each([
    [1, 'not today', 'bad_response'],
    [2, 'not today', 'bad_response'],
    [3, 'not today', 'resource_limited'],
    [139, 'not today', 'rate_limited'],
    // Prysm beacon-chain/p2p/types/rpc_errors.go ErrRateLimited, sent with code 1.
    [1, 'rate limited', 'rate_limited'],
    // Lodestar reqresp/response/errors.ts RATE_LIMITED.
    [139, 'REQUEST_ERROR_RATE_LIMITED', 'rate_limited'],
  ])('answered with error %i, %s, is %s', async (result, message, cause) => {
    const outcome = await asked((stream) => stream.sink([encodeErrorResponse(result, message)]));
    expect(outcome).toEqual({
      ok: false,
      failure: { stage: 'metadata', cause, detail: `result ${result} ${message}` },
    });
  });

  it('is answered by a peer that does not wait for the request', async () => {
    const outcome = await asked((stream) => stream.sink([encodeResponse(0, new Uint8Array(24))]));
    expect(outcome).toMatchObject({ ok: true });
  });

  it('is answered by a peer that never half-closes', async () => {
    const outcome = await asked((stream) =>
      stream.sink(
        (async function* () {
          yield encodeResponse(0, new Uint8Array(24));
          await firstValueFrom(NEVER.pipe(takeUntil(timer(LONG_MS))), { defaultValue: null });
        })(),
      ),
    );
    expect(outcome).toMatchObject({ ok: true });
  });

  it('is answered by a peer that sends one byte at a time', async () => {
    const outcome = await asked((stream) =>
      stream.sink(
        (async function* () {
          for (const byte of encodeResponse(0, new Uint8Array(24).fill(3))) yield Uint8Array.of(byte);
        })(),
      ),
    );
    expect(outcome).toMatchObject({ ok: true, value: { bytes: new Uint8Array(24).fill(3) } });
  });

  it('is answered by a peer that resets the stream once it has answered', async () => {
    const outcome = await asked(async (stream) => {
      await collect(stream.source);
      const source = (async function* () {
        yield encodeResponse(0, new Uint8Array(24));
        stream.abort(new Error('reset'));
      })();
      await stream.sink(source).catch((error: Error) => expect(error.message).toBe('reset'));
    });
    expect(outcome).toMatchObject({ ok: true });
    await vi.waitFor(() => expect(openStreams()).toBe(0));
  });

  it.each([
    ['a length of 1 GB', '008080808004', 'bad_response'],
    ['another length', '0019ff060000734e61507059', 'bad_response'],
    ['garbage', `0018${'ab'.repeat(100)}`, 'bad_response'],
    ['half an answer', '0018ff060000734e61507059011c0000', 'bad_response'],
    ['nothing', '', 'eof'],
    ['only a result', '00', 'eof'],
  ])('answered with %s is a failure', async (_, answer, cause) => {
    const outcome = await asked((stream) => stream.sink(answer === '' ? [] : [hex(answer)]));
    expect(outcome).toMatchObject({ ok: false, failure: { stage: 'metadata', cause } });
    await vi.waitFor(() => expect(openStreams()).toBe(0));
  });

  it.each<[string, (stream: Stream) => unknown]>([
    ['at once', (stream) => stream.abort(new Error('reset'))],
    [
      'after the request',
      async (stream) => {
        await collect(stream.source);
        stream.abort(new Error('reset'));
      },
    ],
    [
      'within the answer',
      async (stream) => {
        const source = (async function* () {
          yield hex('0018ff060000734e61');
          stream.abort(new Error('reset'));
        })();
        await stream.sink(source).catch((error: Error) => expect(error.message).toBe('reset'));
      },
    ],
  ])('reset by the peer %s is a failure', async (_, handler) => {
    const outcome = await asked(handler);
    expect(outcome).toMatchObject({ ok: false, failure: { stage: 'metadata' } });
    expect(['reset', 'eof', 'bad_response']).toContain(outcome.ok ? '' : outcome.failure.cause);
    await vi.waitFor(() => expect(openStreams()).toBe(0));
  });

  it('to a peer that is silent is given up by leaving, and the peer is told', async () => {
    const opened = Promise.withResolvers<Stream>();
    await answerer.serve('/test/3', (stream) => opened.resolve(stream));
    const answers: unknown[] = [];
    const asking = fromAbortable((signal) => request(connection, ask, signal)).subscribe((answer) =>
      answers.push(answer),
    );
    const stream = await opened.promise;
    asking.unsubscribe();
    await vi.waitFor(() => expect(stream.status).not.toBe('open'));
    await vi.waitFor(() => expect(openStreams()).toBe(0));
    expect(answers).toEqual([]);
    expect(connection.status).toBe('open');
  });

  it('that was given up before it began opens nothing', async () => {
    const signal = AbortSignal.abort(new DOMException('given up', 'AbortError'));
    expect(await request(connection, ask, signal)).toMatchObject({ ok: false, failure: { cause: 'timeout' } });
    await vi.waitFor(() => expect(openStreams()).toBe(0));
  });

  it('to an endless answer takes only what was announced', async () => {
    let sent = 0;
    const outcome = await asked(async (stream) => {
      const source = (async function* () {
        yield hex('0018ff060000734e61507059');
        for (; sent < 10_000; sent++) yield Buffer.concat([hex('fe000400'), Buffer.alloc(1_024)]);
      })();
      await stream.sink(source).catch((error: Error) => expect(error).toBeInstanceOf(Error));
    });
    expect(outcome).toMatchObject({ ok: false, failure: { cause: 'bad_response' } });
    await vi.waitFor(() => expect(openStreams()).toBe(0));
    expect(connection.status).toBe('open');
  });

  it('on a connection that has ended is a failure', async () => {
    const other = await barePeer({ muxer });
    const gone = await asker.dial([other.address]);
    await other.stop();
    await vi.waitFor(() => expect(gone.status).toBe('closed'));
    const outcome = await request(gone, ask, AbortSignal.timeout(LONG_MS));
    expect(outcome).toMatchObject({ ok: false, failure: { stage: 'metadata', cause: 'eof' } });
  });
});

describe('a request that the peer answers without taking all of it', () => {
  it('is answered', async () => {
    const stream = {
      protocol: '/test/3',
      source: (async function* () {
        yield encodeErrorResponse(139, 'slow down');
      })(),
      sink: async () => {
        throw new Error('stream reset');
      },
      close: async () => undefined,
      abort: () => undefined,
    };
    const connection = { newStream: async () => stream } as unknown as Connection;
    expect(await request(connection, ask, AbortSignal.timeout(LONG_MS))).toMatchObject({
      ok: false,
      failure: { cause: 'rate_limited', detail: 'result 139 slow down' },
    });
  });
});
