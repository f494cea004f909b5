import { generateKeyPair } from '@libp2p/crypto/keys';
import { describe, expect, it } from 'vitest';
import { forkSteps } from '../../../../src/consensus/fork-schedule.ts';
import type { Network } from '../../../../src/consensus/network.ts';
import { builtInNetwork } from '../../../../src/consensus/networks.ts';
import { decodeNodeRecord, multiaddrText, type NodeRecord } from '../../../../src/consensus/node-record.ts';
import { advanceRecord, forkEntries, OWN_METADATA, ownRecord } from '../../../../src/io/network/own/own-record.ts';

const mainnet = builtInNetwork('mainnet');
const STARTED_MS = 1_790_000_000_000;

const hexOf = (network: Network, epoch: number) =>
  Object.fromEntries([...forkEntries(network, epoch)].map(([key, value]) => [key, Buffer.from(value).toString('hex')]));

function decoded(text: string): NodeRecord {
  const outcome = decodeNodeRecord(text);
  if (!outcome.ok) throw new Error(outcome.failure.detail);
  return outcome.value;
}

/** Little-endian uint64. */
function u64(value: bigint): string {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes.toString('hex');
}

const FAR = 'ff'.repeat(8);

describe('the entries that change with the forks', () => {
  it.each([
    ['today, with nothing scheduled', 450_000, `8c9f62fe06000000${FAR}`, '00000000'],
    ['at the last step', 419_072, `8c9f62fe06000000${FAR}`, '00000000'],
    ['before a blob-parameter-only fork', 419_071, `cb0d1acc06000000${u64(419_072n)}`, '8c9f62fe'],
    ['at a blob-parameter-only fork', 412_672, `cb0d1acc06000000${u64(419_072n)}`, '8c9f62fe'],
    ['before a regular fork', 411_391, `ad532ceb06000000${u64(411_392n)}`, 'cc2c5cdb'],
    ['at genesis', 0, `b5303f2a01000000${u64(74_240n)}`, 'afcaaba0'],
    ['before genesis', -5, `b5303f2a01000000${u64(74_240n)}`, 'afcaaba0'],
  ])('%s', (_, epoch, eth2, nfd) => {
    expect(hexOf(mainnet, epoch)).toEqual({ eth2, nfd });
  });

  // Prysm p2p/fork.go compareForkENR dials nobody whose record has another next version than its own.
  it('name the version of the next entry of the schedule, as Prysm does, which a blob-parameter-only fork leaves as it is', () => {
    const forks = [
      { name: 'fulu', epoch: 0, version: '06000000' },
      { name: 'gloas', epoch: 200, version: '07000000' },
    ];
    const steps = forkSteps(mainnet.genesisValidatorsRoot, forks, [{ epoch: 100, maxBlobsPerBlock: 15 }], {
      epoch: 0,
      maxBlobsPerBlock: 9,
    });
    const network = { ...mainnet, forkSteps: steps };
    expect(hexOf(network, 50)).toEqual({
      eth2: `${steps[0]?.digest}06000000${u64(100n)}`,
      nfd: steps[1]?.digest,
    });
    expect(hexOf(network, 150)['eth2']).toBe(`${steps[1]?.digest}07000000${u64(200n)}`);
    expect(hexOf(network, 200)).toEqual({ eth2: `${steps[2]?.digest}07000000${FAR}`, nfd: '00000000' });
  });
});

describe('our record', () => {
  it.each([
    ['of a devnet', '::1', ['/ip6/::1/udp/9001/quic-v1', '/ip6/::1/tcp/9000'], [{ ip: '::1', port: 9_002 }]],
    ['that does not know its address', null, [], []],
  ] as const)('has the ports of IPv6 alone, on a host without IPv4 %s', async (_, ip, addresses, udp) => {
    const key = await generateKeyPair('secp256k1');
    const endpoint = { ip, isIp6: true, udpPort: 9_002, tcpPort: 9_000, quicPort: 9_001 };
    const record = ownRecord(key, mainnet, 450_000, STARTED_MS, endpoint);
    const read = decoded(record.encodeTxt());
    expect(read.addresses.map(multiaddrText)).toEqual(addresses);
    expect(read.udp).toEqual(udp);
    expect([record.tcp, record.udp, record.quic, record.ip]).toEqual([undefined, undefined, undefined, undefined]);
    expect([record.tcp6, record.quic6]).toEqual([9_000, 9_001]);
  });

  it('says of us what our MetaData says, under the key of our peer id', async () => {
    const key = await generateKeyPair('secp256k1');
    const endpoint = { ip: '127.0.0.1', udpPort: 9_001, tcpPort: 9_000 };
    const record = decoded(ownRecord(key, mainnet, 411_391, STARTED_MS, endpoint).encodeTxt());
    expect(record).toMatchObject({
      peerId: key.publicKey.toString(),
      sequence: BigInt(STARTED_MS),
      addresses: [{ transport: 'tcp', family: 4, ip: '127.0.0.1', port: 9_000 }],
      udp: [{ ip: '127.0.0.1', port: 9_001 }],
      eth2: { forkDigest: 'ad532ceb', nextForkVersion: '06000000', nextForkEpoch: 411_392n },
      nextForkDigest: 'cc2c5cdb',
      attnets: [],
      syncnets: [],
      custodyGroupCount: OWN_METADATA.custodyGroupCount,
    });
  });

  it('has no address when that is not known', async () => {
    const key = await generateKeyPair('secp256k1');
    expect(decoded(ownRecord(key, mainnet, 450_000, STARTED_MS, null).encodeTxt())).toMatchObject({
      addresses: [],
      udp: [],
    });
  });

  it('has the ports, so that it can be dialled once peers have told us our address', async () => {
    const key = await generateKeyPair('secp256k1');
    const endpoint = { ip: null, udpPort: 9_000, tcpPort: 9_000, quicPort: 9_001, tcp6Port: 9_000, quic6Port: 9_001 };
    const record = ownRecord(key, mainnet, 450_000, STARTED_MS, endpoint);
    expect(decoded(record.encodeTxt())).toMatchObject({ addresses: [], udp: [] });
    // What discv5 does when enough peers have said what they see.
    record.ip = '34.77.238.61';
    expect(decoded(record.encodeTxt()).addresses).toEqual([
      { transport: 'quic', family: 4, ip: '34.77.238.61', port: 9_001 },
      { transport: 'tcp', family: 4, ip: '34.77.238.61', port: 9_000 },
    ]);
  });

  it('is the newer one after a restart', async () => {
    const key = await generateKeyPair('secp256k1');
    const [first, second] = [STARTED_MS, STARTED_MS + 1].map((startedMs) =>
      decoded(ownRecord(key, mainnet, 450_000, startedMs, null).encodeTxt()),
    );
    expect(second?.sequence).toBeGreaterThan(first?.sequence ?? 0n);
  });

  it('follows the forks, signed anew only when they change', async () => {
    const key = await generateKeyPair('secp256k1');
    const record = ownRecord(key, mainnet, 411_391, STARTED_MS, null);
    const before = record.encodeTxt();
    advanceRecord(record, mainnet, 411_391);
    expect(record.encodeTxt()).toBe(before);

    advanceRecord(record, mainnet, 411_392);
    const after = decoded(record.encodeTxt());
    expect(after.eth2).toEqual({ forkDigest: 'cc2c5cdb', nextForkVersion: '06000000', nextForkEpoch: 412_672n });
    expect(after.nextForkDigest).toBe('cb0d1acc');
    expect(after.sequence).toBeGreaterThan(BigInt(STARTED_MS));

    advanceRecord(record, mainnet, 412_000);
    expect(decoded(record.encodeTxt()).sequence).toBe(after.sequence);
  });
});
