import type { Connection } from '@libp2p/interface';
import { Compressor } from 'snappy';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { CLIENTS, type Client } from '../../../../src/consensus/client.ts';
import { createLogger } from '../../../../src/io/logging/logger.ts';
import { OWN_METADATA } from '../../../../src/io/network/own/own-record.ts';
import { serve } from '../../../../src/io/network/reqresp/server.ts';
import { type BarePeer, barePeer, type Carrier, collect } from '../../../support/network/bare-peer.ts';
import { quicSpy } from '../../../support/network/quic-spy.ts';
import { EMPTY_STATUS } from '../../../support/network/test-host.ts';

const protocol = (method: string) => `/eth2/beacon_chain/req/${method}/ssz_snappy`;

/** Methods with the bytes of a small request. */
const BLOCKS: readonly [string, number][] = [
  ['beacon_blocks_by_range/2', 24],
  ['beacon_blocks_by_root/2', 32],
  ['beacon_blocks_by_head/1', 40],
  ['execution_payload_envelopes_by_range/1', 16],
  ['execution_payload_envelopes_by_root/1', 32],
  ['blob_sidecars_by_range/1', 16],
  ['data_column_sidecars_by_range/1', 28],
  ['light_client_bootstrap/1', 32],
  ['light_client_updates_by_range/1', 16],
  ['light_client_finality_update/1', 0],
  ['light_client_optimistic_update/1', 0],
];
const BY_ROOT: readonly [string, number][] = [
  ['blob_sidecars_by_root/1', 40],
  ['data_column_sidecars_by_root/1', 48],
];

/** By what the clients' sources book for each; `null` for a reset. The first for blocks, the second for blobs and columns by root. */
const REFUSED_WITH: Readonly<Record<Client, readonly [number | null, number | null]>> = {
  Lighthouse: [4, 3],
  Grandine: [4, 3],
  Prysm: [3, 3],
  Teku: [3, 3],
  Nimbus: [3, 3],
  Lodestar: [3, 3],
  Caplin: [3, 3],
  unknown: [null, null],
};

const NO_ANSWER = -1;

async function requestOf(size: number): Promise<Buffer> {
  if (size === 0) return Buffer.alloc(0);
  const encoder = new Compressor();
  const head = encoder.update(Buffer.alloc(size, 1));
  return Buffer.concat([Buffer.of(size), head, await encoder.finish()]);
}

describe.each<Carrier>(['yamux', 'mplex', 'quic'])('over %s', (carrier) => {
  let server: BarePeer;
  let asker: BarePeer;
  let connection: Connection;
  let client: Client = 'unknown';
  let spy: Awaited<ReturnType<typeof quicSpy>>;

  beforeAll(async () => {
    spy = await quicSpy();
    server = await barePeer({ muxer: carrier });
    asker = await barePeer({ muxer: carrier });
    await serve(server.libp2p, {
      ownStatus: () => EMPTY_STATUS,
      ownMetaData: () => OWN_METADATA,
      onStatus: () => undefined,
      onGoodbye: () => undefined,
      clientOf: (peerId) => (peerId === asker.peerId ? client : expect.unreachable(peerId)),
      requestTimeoutMs: 500,
      logger: createLogger({ level: 'silent', format: 'json' }),
    });
    connection = await asker.dial([server.address]);
  });
  afterAll(async () => {
    await asker.stop();
    await server.stop();
  });

  /** libp2p takes a reset over QUIC for an end, so QUIC itself is asked. */
  const quicResets = () => spy.connectionsWith(server.peerId).at(-1)?.stats().frameRxResetStream ?? 0;

  /** The result code of the answer; `null` when the stream was reset. */
  async function refusalOf(method: string, size: number, ends = true): Promise<number | null> {
    const resetsBefore = quicResets();
    const stream = await connection.newStream(protocol(method));
    const request = await requestOf(size);
    const source = (async function* () {
      if (request.length > 0) yield request;
      if (!ends) await vi.waitFor(() => expect(stream.status).not.toBe('open'));
    })();
    stream.sink(source).catch((error: Error) => expect(error).toBeInstanceOf(Error));
    const answer = await collect(stream.source).catch(() => null);
    await stream.close();
    return answer === null || quicResets() > resetsBefore ? null : (answer[0] ?? NO_ANSWER);
  }

  it.each(CLIENTS)('refuses %s in the way that costs least', async (asking) => {
    client = asking;
    const [blocks, byRoot] = REFUSED_WITH[asking];
    for (const [method, size] of BLOCKS) expect([method, await refusalOf(method, size)]).toEqual([method, blocks]);
    for (const [method, size] of BY_ROOT) expect([method, await refusalOf(method, size)]).toEqual([method, byRoot]);
  });

  it('refuses also who does not end its request', async () => {
    client = 'Lodestar';
    for (const [method, size] of [...BLOCKS, ...BY_ROOT]) {
      expect([method, await refusalOf(method, size, false)]).toEqual([method, 3]);
    }
  });

  it('keeps no stream of a refused request, and the connection', async () => {
    await vi.waitFor(() => expect(server.libp2p.getConnections().flatMap(({ streams }) => streams)).toHaveLength(0));
    expect(connection.status).toBe('open');
  });
});
