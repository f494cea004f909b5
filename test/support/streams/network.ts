import { networkClock } from '../../../src/consensus/clock.ts';
import type { Network } from '../../../src/consensus/network.ts';
import { decodeNodeRecord, type NodeRecord } from '../../../src/consensus/node-record.ts';

export const DIGEST = '8c9f62fe';
export const OTHER_DIGEST = '6a95a1a9';

/** Epochs of 32 seconds, the first at time 0. */
export const NETWORK: Network = {
  name: 'test',
  isPublic: false,
  dialsAnyAddress: true,
  genesisTimeMs: 0,
  slotMs: 1_000,
  slotsPerEpoch: 32,
  genesisValidatorsRoot: '00'.repeat(32),
  forkSteps: [{ epoch: 0, name: 'fulu', forkVersion: '06000000', digest: DIGEST, blobs: null }],
  bootnodes: [],
  activeValidators: 1_000,
};

export const EPOCH_MS = 32_000;
export const CLOCK = networkClock(NETWORK);

/** The record of a made-up node of our network. */
export function nodeRecord(name: string, fields: Partial<NodeRecord> = {}): NodeRecord {
  const wellFormed = {
    enr: `enr:${name}`,
    sequence: 1n,
    nodeId: `node-${name}`,
    peerId: name,
    addresses: [{ transport: 'tcp', family: 4, ip: '10.0.0.1', port: 9_000 }],
    udp: [{ ip: '10.0.0.1', port: 9_000 }],
    eth2: forkId(DIGEST),
    attnets: null,
    syncnets: null,
    custodyGroupCount: null,
    nextForkDigest: null,
    malformed: [],
  } as const;
  return { ...wellFormed, ...fields };
}

export function forkId(forkDigest: string): NonNullable<NodeRecord['eth2']> {
  return { forkDigest, nextForkVersion: '06000000', nextForkEpoch: 2n ** 64n - 1n };
}

/** What a real record says. */
export function recordOf(enr: string): NodeRecord {
  const decoded = decodeNodeRecord(enr);
  if (!decoded.ok) throw new Error(`${enr} cannot be read`);
  return decoded.value;
}
