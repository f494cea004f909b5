import { firstValueFrom } from 'rxjs';
import { Compressor, Decompressor } from 'snappy';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Status } from '../../../../src/consensus/containers.ts';
import { createLink } from '../../../../src/io/network/libp2p/link.ts';
import type { PeerLink } from '../../../../src/streams/ports/peer-link.ts';
import { type BarePeer, barePeer, collect } from '../../../support/network/bare-peer.ts';
import { linkContext } from '../../../support/network/link-context.ts';
import { freshLedger } from '../../../support/network/test-host.ts';

const protocol = (method: string) => `/eth2/beacon_chain/req/${method}/ssz_snappy`;
const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');
const IDENTIFIER = 'ff060000734e61507059';
const STATUS_PROTOCOLS = ['status/2', 'status/1'];
const METADATA_PROTOCOLS = ['metadata/3', 'metadata/2', 'metadata/1'];

/** Answers as other implementations wrote them. */
const STATUS_1 = hex(
  `00 54 ${IDENTIFIER} 002d00007e8c1ea2540000aa01007c30a903798306695d21d1faa76363a0070677130835e503760b0e84479b7819e6114b`,
);
const STATUS_2 = hex(`00 5c ${IDENTIFIER} 01600000ca542a7c 8c9f62fe ${'00'.repeat(88)}`);
const METADATA_3 = hex(`00 19 ${IDENTIFIER} 011d00000910638f 0100000000000000 ${'00'.repeat(9)} 0400000000000000`);

const OWN: Status = {
  forkDigest: '8c9f62fe',
  finalizedRoot: '11'.repeat(32),
  finalizedEpoch: 1,
  headRoot: '22'.repeat(32),
  headSlot: 40,
  earliestAvailableSlot: 32,
};

let asker: BarePeer;
let answerer: BarePeer;
let link: PeerLink;

beforeAll(async () => {
  asker = await barePeer();
  answerer = await barePeer();
  // Each test asks as if nobody had been asked before.
  const ledger = { ...freshLedger(), tryAsk: () => true, askableAtMs: (_: string, __: string, nowMs: number) => nowMs };
  link = createLink(await asker.dial([answerer.address]), linkContext({ ledger }));
});
afterAll(async () => {
  await asker.stop();
  await answerer.stop();
});

/** Makes the answerer speak one version of a method only. The request that comes is its answer's. */
async function speakOnly(
  method: string,
  versions: readonly string[],
  answer: Uint8Array,
): Promise<{ request: Buffer }> {
  await answerer.libp2p.unhandle(versions.map(protocol));
  const asked: { request: Buffer } = { request: Buffer.alloc(0) };
  await answerer.serve(protocol(method), async (stream) => {
    asked.request = await collect(stream.source);
    await stream.sink([answer]);
  });
  return asked;
}

async function sszOf(request: Buffer): Promise<string> {
  const decoder = new Decompressor();
  const head = decoder.update(request.subarray(1));
  const body = Buffer.concat([head, await decoder.finish()]);
  expect(body).toHaveLength(request[0] ?? 0);
  return body.toString('hex');
}

const OWN_STATUS_1 = `8c9f62fe${'11'.repeat(32)}0100000000000000${'22'.repeat(32)}2800000000000000`;

describe('Status', () => {
  it('is exchanged in its newest version', async () => {
    const asked = await speakOnly('status/2', STATUS_PROTOCOLS, STATUS_2);
    expect(await firstValueFrom(link.status(OWN))).toMatchObject({
      ok: true,
      value: { forkDigest: '8c9f62fe', headSlot: 0, earliestAvailableSlot: 0 },
    });
    expect(await sszOf(asked.request)).toBe(`${OWN_STATUS_1}2000000000000000`);
  });

  it('is exchanged in the version before where that is all that is spoken', async () => {
    const asked = await speakOnly('status/1', STATUS_PROTOCOLS, STATUS_1);
    expect(await firstValueFrom(link.status(OWN))).toMatchObject({
      ok: true,
      value: {
        forkDigest: '00000000',
        headRoot: '30a903798306695d21d1faa76363a0070677130835e503760b0e84479b7819e6',
        earliestAvailableSlot: null,
      },
    });
    expect(await sszOf(asked.request)).toBe(OWN_STATUS_1);
  });

  it('of the size of another version is refused', async () => {
    await speakOnly('status/2', STATUS_PROTOCOLS, STATUS_1);
    expect(await firstValueFrom(link.status(OWN))).toMatchObject({
      ok: false,
      failure: { stage: 'status', cause: 'bad_response', detail: 'announces 84 bytes, expected 92' },
    });
  });
});

describe('MetaData', () => {
  it.each([
    ['metadata/3', METADATA_3, 4],
    ['metadata/2', `0100000000000000${'00'.repeat(9)}`, null],
    ['metadata/1', `0100000000000000${'00'.repeat(8)}`, null],
  ])('is asked for as %s without a body', async (method, answer, custodyGroupCount) => {
    const written = typeof answer === 'string' ? await framed(hex(answer)) : answer;
    const asked = await speakOnly(method, METADATA_PROTOCOLS, written);
    expect(await firstValueFrom(link.metaData())).toEqual({
      ok: true,
      value: { seqNumber: 1, attnets: new Uint8Array(8), syncnets: new Uint8Array(1), custodyGroupCount },
    });
    expect(asked.request).toHaveLength(0);
  });

  it('with a custody group count that nobody can have is passed on as it is claimed', async () => {
    const body = Buffer.concat([hex('0100000000000000'), Buffer.alloc(9), hex('ffffffffffffffff')]);
    await speakOnly('metadata/3', METADATA_PROTOCOLS, await framed(body));
    expect(await firstValueFrom(link.metaData())).toMatchObject({
      ok: true,
      value: { custodyGroupCount: Number.MAX_SAFE_INTEGER },
    });
  });

  it('with bits beyond the four sync subnets is refused', async () => {
    const body = Buffer.concat([Buffer.alloc(16), hex('10'), hex('0400000000000000')]);
    await speakOnly('metadata/3', METADATA_PROTOCOLS, await framed(body));
    expect(await firstValueFrom(link.metaData())).toMatchObject({
      ok: false,
      failure: { stage: 'metadata', cause: 'bad_response' },
    });
  });
});

/** A successful answer with this body, in frames of snappy's own encoder. */
async function framed(body: Uint8Array): Promise<Buffer> {
  const encoder = new Compressor();
  return Buffer.concat([Buffer.of(0, body.length), encoder.update(body), await encoder.finish()]);
}
