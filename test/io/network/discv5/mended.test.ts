import { EventEmitter } from 'node:events';
import { Discv5 } from '@chainsafe/discv5';
import { defaultCrypto, SignableENR } from '@chainsafe/enr';
import { generateKeyPair } from '@libp2p/crypto/keys';
import { multiaddr } from '@multiformats/multiaddr';
import { firstValueFrom } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AddressBlock, claimAddressBlock } from '../../../../src/devnet/addresses.ts';
import { createLogger } from '../../../../src/io/logging/logger.ts';
import { type Discv5Adapter, startDiscv5 } from '../../../../src/io/network/discv5/discv5.ts';
import { useNativeEnrCrypto } from '../../../../src/io/network/discv5/enr-crypto.ts';
import { encodeRlp, type RlpItem } from '../../../support/consensus/raw-enr.ts';

/**
 * Our discovery against a node that answers with bytes made here, not by the library that reads them. Records: EIP-778; messages:
 * discv5-wire.md.
 */

const logger = createLogger({ level: 'silent', format: 'json' });
const FINDNODE = 3;
const NODES = 4;
const FARTHEST = 256;

let block: AddressBlock;
let stack: AsyncDisposableStack;
beforeEach(async () => {
  useNativeEnrCrypto();
  stack = new AsyncDisposableStack();
  block = await claimAddressBlock();
  stack.defer(() => block.release());
});
afterEach(() => stack.disposeAsync());

async function ours(): Promise<Discv5Adapter> {
  const privateKey = await generateKeyPair('secp256k1');
  const record = SignableENR.createFromPrivateKey(privateKey);
  record.ip = block.host(0);
  record.udp = block.port;
  const adapter = await startDiscv5({
    privateKey,
    record,
    bindIp: block.host(0),
    udpPort: block.port,
    bootnodes: [],
    logger,
  });
  stack.defer(() => adapter.stop());
  return adapter;
}

type Contact = Parameters<Discv5['sessionService']['sendResponse']>[0];
type Response = Parameters<Discv5['sessionService']['sendResponse']>[1];

/** A node of the library; to a question for its farthest bucket it answers with these messages of records, by their items. */
async function teller(messages: (nodeId: string) => RlpItem[][]): Promise<Discv5> {
  const privateKey = await generateKeyPair('secp256k1');
  const record = SignableENR.createFromPrivateKey(privateKey);
  record.ip = block.host(1);
  record.udp = block.port;
  const bindAddrs = { ip4: multiaddr(`/ip4/${block.host(1)}/udp/${block.port}`) };
  const node = Discv5.create({ enr: record, privateKey, bindAddrs });
  const { sessionService } = node;
  if (!(sessionService instanceof EventEmitter)) throw new TypeError('no events');
  sessionService.on('request', (contact: Contact, request: { type: number; id: Uint8Array; distances: number[] }) => {
    if (request.type !== FINDNODE || !request.distances.includes(FARTHEST)) return;
    const answers = messages(node.enr.nodeId);
    for (const records of answers) {
      const enrs = records.map((items) => ({ encodeToValues: () => items }));
      const response: unknown = { type: NODES, id: request.id, total: answers.length, enrs };
      sessionService.sendResponse(contact, response as Response);
    }
  });
  await node.start();
  stack.defer(() => node.stop());
  return node;
}

const text = (value: string) => Buffer.from(value);

interface RecordParts {
  readonly sequence?: Uint8Array;
  readonly scheme?: string;
  readonly entries?: readonly (readonly [string, RlpItem])[];
}

/** The items of a record of a new node, signed whatever they are. */
function recordOf({ sequence = Uint8Array.of(1), scheme = 'v4', entries = [] }: RecordParts = {}) {
  const key = crypto.getRandomValues(new Uint8Array(32));
  const publicKey = defaultCrypto.publicKey(key);
  const content: RlpItem[] = [
    sequence,
    ...[text('id'), text(scheme), text('secp256k1'), publicKey],
    ...entries.flatMap(([name, value]): RlpItem[] => [text(name), value]),
  ];
  return { items: [defaultCrypto.sign(key, encodeRlp(content)), ...content], nodeId: defaultCrypto.nodeId(publicKey) };
}

/** Sound ones in the farthest bucket of a node: where the first bit of its id is another. */
function farthestFrom(nodeId: string, count: number) {
  const firstBit = (id: string) => Number.parseInt(id.slice(0, 1), 16) >> 3;
  const found: ReturnType<typeof recordOf>[] = [];
  while (found.length < count) {
    const record = recordOf();
    if (firstBit(record.nodeId) !== firstBit(nodeId)) found.push(record);
  }
  return found;
}

async function heardFrom(node: Discv5): Promise<string[]> {
  const adapter = await ours();
  const answer = await firstValueFrom(adapter.neighbours(node.enr.encodeTxt()));
  if (!answer.ok) throw new Error(answer.failure.detail ?? answer.failure.cause);
  // Its own table tells us of ourselves.
  const others = answer.value.records.filter(({ nodeId }) => nodeId !== adapter.record.nodeId);
  return others.map(({ nodeId }) => nodeId).toSorted();
}

describe('an answer with a record that cannot be read', () => {
  it.each<[string, RlpItem]>([
    ['of another identity scheme', recordOf({ scheme: 'v5' }).items],
    ['badly signed', [new Uint8Array(64).fill(1), ...recordOf().items.slice(1)]],
    ['not signed at all', [new Uint8Array(0), ...recordOf().items.slice(1)]],
    ['too long', recordOf({ entries: [['z', new Uint8Array(200)]] }).items],
    ['of too large a sequence', recordOf({ sequence: new Uint8Array(9).fill(1) }).items],
    ['with a key that comes twice', recordOf({ entries: [['secp256k1', new Uint8Array(1)]] }).items],
    ['with a key without a value', recordOf().items.slice(0, -1)],
    ['with a list for a key', [...recordOf().items, [new Uint8Array(1)], new Uint8Array(1)]],
    ['with a list for a signature', [[new Uint8Array(64)], ...recordOf().items.slice(1)]],
    ['that is no list', text('enr')],
    ['that is empty', []],
  ])('tells of the others: %s', async (_, odd) => {
    let sound: string[] = [];
    const node = await teller((nodeId) => {
      const [first, second, third] = farthestFrom(nodeId, 3);
      if (first === undefined || second === undefined || third === undefined) return [];
      sound = [first, second, third].map((record) => record.nodeId);
      return [[first.items, odd, second.items], [third.items]];
    });
    expect(await heardFrom(node)).toEqual(sound.toSorted());
  });

  it.each<[string, RecordParts]>([
    ['of sequence 0', { sequence: new Uint8Array(0) }],
    ['of the largest sequence', { sequence: new Uint8Array(8).fill(255) }],
    [
      'with keys in the order of bytes',
      {
        entries: [
          ['z_', text('1')],
          ['za', text('2')],
        ],
      },
    ],
    ['with a list for a value', { entries: [['z', [text('1')]]] }],
  ])('is not one %s: that is read', async (_, parts) => {
    let told: string[] = [];
    const node = await teller((nodeId) => {
      let odd = recordOf(parts);
      const [sound] = farthestFrom(nodeId, 1);
      const isFar = ({ nodeId: id }: { nodeId: string }) =>
        Number.parseInt(id[0] ?? '', 16) >> 3 !== Number.parseInt(nodeId[0] ?? '', 16) >> 3;
      while (!isFar(odd)) odd = recordOf(parts);
      if (sound === undefined) return [];
      told = [sound.nodeId, odd.nodeId];
      return [[odd.items, sound.items]];
    });
    expect(await heardFrom(node)).toEqual(told.toSorted());
  });
});

it('an answer with a full bucket is read whole: sixteen records, in six messages', async () => {
  let sound: string[] = [];
  const node = await teller((nodeId) => {
    const records = farthestFrom(nodeId, 16);
    sound = records.map((record) => record.nodeId);
    const messages: RlpItem[][] = [];
    for (let from = 0; from < records.length; from += 3)
      messages.push(records.slice(from, from + 3).map(({ items }) => items));
    return messages;
  });
  expect(await heardFrom(node)).toEqual(sound.toSorted());
});

it('a TALKREQ of any protocol is answered, with nothing', async () => {
  const adapter = await ours();
  const node = await teller(() => []);
  expect(await node.sendTalkReq(adapter.record.toENR(), text('anything'), 'unknown')).toEqual(new Uint8Array(0));
});

/** The number 0 as RLP has it; the library writes a byte. */
const NO_BYTES = new Uint8Array(0);

it('a PING that names sequence 0 is answered', async () => {
  const adapter = await ours();
  const node = await teller(() => []);
  const { sessionService } = node;
  const send = sessionService.sendRequest.bind(sessionService);
  sessionService.sendRequest = (contact, request) =>
    send(contact, { ...request, enrSeq: NO_BYTES } as unknown as typeof request);
  expect(await node.sendPing(adapter.record.toENR())).toMatchObject({ enrSeq: adapter.record.seq });
});
