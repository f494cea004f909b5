import type { Connection, Stream } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import { firstValueFrom, timer } from 'rxjs';
import { describe, it, vi } from 'vitest';
import { encodeMetaData, encodeStatus, type Status } from '../../../src/consensus/containers.ts';
import { OWN_METADATA } from '../../../src/io/network/own/own-record.ts';
import { encodeRequest, encodeResponse } from '../../../src/io/network/reqresp/payload.ts';
import { openSentryDatabase } from '../../../src/io/storage/sentry/sentry-database.ts';
import type { SentryProgram } from '../../../src/programs/sentry/start-sentry.ts';
import { quietSentry } from '../../support/e2e/quiet-sentry.ts';
import { type BarePeer, type Carrier, collect } from '../../support/network/bare-peer.ts';
import { type Negotiator, negotiator, type StreamEnd } from '../../support/network/negotiating.ts';
import { tempDir } from '../../support/temp-dir.ts';

const protocol = (method: string) => `/eth2/beacon_chain/req/${method}/ssz_snappy`;
/** An epoch has 32 of them: six dials are in one, and it does not end before them. */
const SLOT_MS = 1_000;
const DIALS = 6;
const BETWEEN_DIALS_MS = 1_500;
/** Lodestar, Lighthouse and the specification let one Goodbye pass in so long; Prysm one a second. */
const GOODBYE_WINDOW_MS = 10_000;
const STATUS: Status = {
  forkDigest: 'a1b2c3d4',
  finalizedRoot: '22'.repeat(32),
  finalizedEpoch: 1,
  headRoot: '33'.repeat(32),
  headSlot: 50,
  earliestAvailableSlot: 0,
};

async function aSentry(cleanUp: AsyncDisposableStack): Promise<SentryProgram> {
  const dir = await tempDir();
  cleanUp.defer(() => dir.remove());
  const database = await openSentryDatabase(dir.path);
  cleanUp.defer(() => database.close());
  return quietSentry({ slotMs: SLOT_MS, dataDir: dir.path, database });
}

/** Answers what a visit asks, and takes down when it is told Goodbye. */
async function behaveAsNode({ peer }: Negotiator): Promise<number[]> {
  await peer.serve(protocol('status/2'), async (stream: Stream) => {
    await collect(stream.source);
    await stream.sink([encodeResponse(0, encodeStatus(STATUS, 2))]);
  });
  await peer.serve(protocol('metadata/3'), (stream: Stream) =>
    stream.sink([encodeResponse(0, encodeMetaData(OWN_METADATA, 3))]),
  );
  const toldMs: number[] = [];
  await peer.serve(protocol('goodbye/1'), async (stream: Stream, connection: Connection) => {
    await collect(stream.source);
    toldMs.push(Date.now());
    connection.abort(new Error('told'));
  });
  return toldMs;
}

/** A connection of its own, also beside others. */
function dialAnew({ libp2p }: BarePeer, carrier: Carrier, sentry: SentryProgram): Promise<Connection> {
  const addresses = sentry.addresses.filter((address) => address.includes('quic-v1') === (carrier === 'quic'));
  return libp2p.dial(
    addresses.map((address) => multiaddr(address)),
    { force: true },
  );
}

async function askStatus(connection: Connection): Promise<number | undefined> {
  const stream = await connection.newStream(protocol('status/2'));
  const request = encodeRequest(encodeStatus(STATUS, 2));
  const [, answer] = await Promise.all([stream.sink([request]), collect(stream.source)]);
  return answer[0];
}

describe.concurrent.each<[Carrier, string]>([
  ['yamux', 'Lighthouse/v8.0.1-ced49dd'],
  ['mplex', 'lodestar/v1.44.0'],
  ['quic', 'Prysm/v7.1.2/c40b59a'],
])('over %s, %s that dials six times within an epoch and leaves a stream half negotiated', (carrier, agent) => {
  it('has each Status answered, sees no stream ended by a FIN, and hears no two Goodbyes within ten seconds', async ({
    expect,
  }) => {
    await using cleanUp = new AsyncDisposableStack();
    const sentry = await aSentry(cleanUp);
    const node = await negotiator(carrier, { agent });
    cleanUp.defer(() => node.peer.stop());
    const toldMs = await behaveAsNode(node);
    const answers: unknown[] = [];
    const ends: { readonly ended: Promise<StreamEnd> }[] = [];
    for (let dial = 0; dial < DIALS; dial++) {
      const connection = await dialAnew(node.peer, carrier, sentry);
      answers.push(await askStatus(connection));
      ends.push(await node.negotiate(connection));
      await firstValueFrom(timer(BETWEEN_DIALS_MS));
    }
    await sentry.stop();
    expect(answers).toEqual(Array.from({ length: DIALS }, () => 0));
    expect(await Promise.all(ends.map(({ ended }) => ended))).toEqual(
      Array.from({ length: DIALS }, () => 'connection ended'),
    );
    const gapsMs = toldMs.slice(1).map((atMs, index) => atMs - (toldMs[index] ?? 0));
    expect(gapsMs.filter((gapMs) => gapMs < GOODBYE_WINDOW_MS)).toEqual([]);
    await vi.waitFor(() => expect(node.peer.libp2p.getConnections()).toEqual([]));
  });
});
