import type { Connection } from '@libp2p/interface';
import { Compressor, Decompressor } from 'snappy';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Status } from '../../../../src/consensus/containers.ts';
import { createLogger } from '../../../../src/io/logging/logger.ts';
import { OWN_METADATA } from '../../../../src/io/network/own/own-record.ts';
import { serve } from '../../../../src/io/network/reqresp/server.ts';
import { type BarePeer, barePeer, collect, type Muxer } from '../../../support/network/bare-peer.ts';
import { EMPTY_STATUS } from '../../../support/network/test-host.ts';

const protocol = (method: string) => `/eth2/beacon_chain/req/${method}/ssz_snappy`;
const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');
const IDENTIFIER = 'ff060000734e61507059';

const STATUS_2 = hex(`5c ${IDENTIFIER} 01600000ca542a7c 8c9f62fe ${'00'.repeat(88)}`);
const PING_0 = hex(`08 ${IDENTIFIER} 010c000029039807 ${'00'.repeat(8)}`);
const METADATA_3 = '01000000000000000000000000000000000400000000000000';
/** Masked CRC-32C of uint64 129, from the reference encoder. */
const GOODBYE_129 = '8100000000000000';

const REQUEST_TIMEOUT_MS = 500;

describe.each<Muxer>(['yamux', 'mplex'])('the server over %s', (muxer) => {
  let server: BarePeer;
  let client: BarePeer;
  let connection: Connection;
  const statuses: Status[] = [];
  const goodbyes: bigint[] = [];

  beforeAll(async () => {
    server = await barePeer({ muxer });
    client = await barePeer({ muxer });
    await serve(server.libp2p, {
      ownStatus: () => EMPTY_STATUS,
      ownMetaData: () => OWN_METADATA,
      onStatus: (_, status) => statuses.push(status),
      onGoodbye: (_, reason) => goodbyes.push(reason),
      clientOf: () => 'Lodestar',
      requestTimeoutMs: REQUEST_TIMEOUT_MS,
      logger: createLogger({ level: 'silent', format: 'json' }),
    });
    connection = await client.dial([server.address]);
  });
  afterAll(async () => {
    await client.stop();
    await server.stop();
  });

  async function ask(method: string, pieces: readonly Uint8Array[]): Promise<Buffer> {
    const stream = await connection.newStream(protocol(method));
    const [, received] = await Promise.all([stream.sink(pieces), collect(stream.source)]);
    await stream.close();
    return received;
  }
  const serverStreams = () => server.libp2p.getConnections().flatMap(({ streams }) => streams).length;

  it('answers a Status with ours, and reports it', async () => {
    const answer = await ask('status/2', [STATUS_2]);
    expect(answer.subarray(0, 12)).toEqual(hex(`00 5c ${IDENTIFIER}`));
    expect(statuses.at(-1)).toEqual(EMPTY_STATUS);
  });

  it('answers an old Status', async () => {
    const answer = await ask('status/1', [hex(`54 ${IDENTIFIER}`), hex('002d00007e8c1ea2'), hex(TEKU_STATUS)]);
    expect(answer.subarray(0, 12)).toEqual(hex(`00 54 ${IDENTIFIER}`));
    expect(statuses.at(-1)).toMatchObject({
      finalizedRoot: '00'.repeat(32),
      headRoot: '30a903798306695d21d1faa76363a0070677130835e503760b0e84479b7819e6',
      earliestAvailableSlot: null,
    });
  });

  it('answers MetaData, half-closed or not', async () => {
    const answer = await ask('metadata/3', []);
    expect(answer.subarray(0, 2)).toEqual(hex('0019'));
    const decoder = new Decompressor();
    const head = decoder.update(answer.subarray(2));
    expect(Buffer.concat([head, await decoder.finish()]).toString('hex')).toBe(METADATA_3);
    const stream = await connection.newStream(protocol('metadata/3'));
    expect(await collect(stream.source)).toEqual(answer);
    await stream.close();
    expect((await ask('metadata/2', [])).subarray(0, 2)).toEqual(hex('0011'));
    expect((await ask('metadata/1', [])).subarray(0, 2)).toEqual(hex('0010'));
  });

  it('answers a Ping with the sequence of our MetaData, also byte by byte', async () => {
    const answer = await ask('ping/1', [PING_0]);
    expect(answer.subarray(0, 12)).toEqual(hex(`00 08 ${IDENTIFIER}`));
    expect(answer.subarray(-8)).toEqual(hex('0100000000000000'));
    expect(
      await ask(
        'ping/1',
        [...PING_0].map((byte) => Uint8Array.of(byte)),
      ),
    ).toEqual(answer);
  });

  it('takes a Goodbye without an answer', async () => {
    const encoder = new Compressor();
    const body = Buffer.concat([encoder.update(hex(GOODBYE_129)), await encoder.finish()]);
    expect(await ask('goodbye/1', [hex('08'), body])).toHaveLength(0);
    expect(goodbyes.at(-1)).toBe(129n);
  });

  it.each([
    ['no body', ''],
    ['another length', '09'],
    ['a length of 1 GB', '8080808004'],
    ['garbage', 'deadbeef'.repeat(8)],
    ['half a body', `08 ${IDENTIFIER} 010c0000`],
    ['a wrong checksum', `08 ${IDENTIFIER} 010c000029039808 ${'00'.repeat(8)}`],
  ])('resets a request of %s, and blames nobody with a code', async (_, written) => {
    const before = [statuses.length, goodbyes.length];
    for (const method of ['ping/1', 'status/2', 'status/1', 'goodbye/1']) {
      await expect(ask(method, written === '' ? [] : [hex(written)])).rejects.toThrow(/reset/);
    }
    expect([statuses.length, goodbyes.length]).toEqual(before);
    expect((await ask('ping/1', [PING_0]))[0]).toBe(0);
  });

  it('answers MetaData although something came with the question', async () => {
    expect((await ask('metadata/3', [hex('deadbeef')])).subarray(0, 2)).toEqual(hex('0019'));
  });

  it('declines a large request without losing the connection that brings it', async () => {
    const roots = Buffer.from(Array.from({ length: 32_768 }, (_, index) => (index * index * 31) & 0xff));
    const encoder = new Compressor();
    const body = Buffer.concat([encoder.update(roots), await encoder.finish()]);
    const request = Buffer.concat([hex('808002'), body]);
    const pieces = Array.from({ length: 64 }, (_, index) =>
      request.subarray((index * request.length) / 64, ((index + 1) * request.length) / 64),
    );
    expect((await ask('beacon_blocks_by_root/2', pieces))[0]).toBe(3);
    expect((await ask('ping/1', [PING_0]))[0]).toBe(0);
  });

  it('keeps no stream of a request that is over', async () => {
    await vi.waitFor(() => expect(serverStreams()).toBe(0));
  });

  it('resets one stream too many and no other', async () => {
    const open = await Promise.all([0, 1, 2].map(() => connection.newStream(protocol('ping/1'))));
    await vi.waitFor(() => expect(serverStreams()).toBe(3));
    const tooMany = await connection.newStream(protocol('ping/1'));
    await expect(Promise.all([tooMany.sink([PING_0]), collect(tooMany.source)])).rejects.toThrow(/reset/);
    for (const stream of open) {
      const [, answer] = await Promise.all([stream.sink([PING_0]), collect(stream.source)]);
      expect(answer[0]).toBe(0);
      await stream.close();
    }
    await vi.waitFor(() => expect(serverStreams()).toBe(0));
    expect((await ask('ping/1', [PING_0]))[0]).toBe(0);
  });

  it('forgets a request whose stream is reset halfway', async () => {
    const stream = await connection.newStream(protocol('status/2'));
    const source = (async function* () {
      yield STATUS_2.subarray(0, 20);
      await vi.waitFor(() => expect(serverStreams()).toBe(1));
      stream.abort(new Error('changed my mind'));
    })();
    // libp2p does not end a sink whose stream is reset meanwhile.
    stream.sink(source).catch((error: Error) => expect(error.message).toBe('changed my mind'));
    await vi.waitFor(() => expect(stream.status).toBe('aborted'));
    await vi.waitFor(() => expect(serverStreams()).toBe(0));
    expect((await ask('ping/1', [PING_0]))[0]).toBe(0);
  });

  it('gives up a request that is not complete in time', async () => {
    const stream = await connection.newStream(protocol('status/2'));
    const source = (async function* () {
      yield STATUS_2.subarray(0, 20);
      await vi.waitFor(() => expect(stream.status).not.toBe('open'), { timeout: 10_000 });
    })();
    stream.sink(source).catch((error: Error) => expect(error).toBeInstanceOf(Error));
    await expect(collect(stream.source)).rejects.toThrow(/reset/);
    await vi.waitFor(() => expect(serverStreams()).toBe(0));
  });
});

/** 84 bytes of a Status that Teku has compressed. */
const TEKU_STATUS = '540000aa01007c30a903798306695d21d1faa76363a0070677130835e503760b0e84479b7819e6114b';
