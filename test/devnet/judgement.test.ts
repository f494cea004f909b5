import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { judge } from '../../src/devnet/judgement.ts';
import { forkDigest, fuluSchedule } from '../../src/devnet/schedule.ts';
import { statusBody } from '../support/devnet/plain-peer.ts';

/** Epoch 20 of a network that has finalised epoch 18. */
const SLOT = 20 * 32 + 5;
const schedule = fuluSchedule(1);
const digest = forkDigest(schedule, 20);
const slotBytes = (slot: number) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(slot));
  return bytes;
};
const rootOf = (epoch: number) =>
  createHash('sha256')
    .update(Buffer.from(schedule.genesisValidatorsRoot, 'hex'))
    .update(slotBytes(epoch * 32))
    .digest('hex');

const CLIENTS = ['Lighthouse', 'Prysm', 'Teku', 'Nimbus', 'Lodestar', 'Grandine'] as const;
const verdict = (client: (typeof CLIENTS)[number], fields: Parameters<typeof statusBody>[1], ours = digest) => {
  const judgement = judge(client, schedule, SLOT, statusBody(ours, fields));
  return judgement.stays ? ('unless' in judgement ? 'proof' : 'stays') : judgement.reason;
};
const all = (fields: Parameters<typeof statusBody>[1], ours?: string) =>
  CLIENTS.map((client) => verdict(client, fields, ours));

describe('a Status', () => {
  it.each([
    ['of zeros is accepted by all', {}, ['stays', 'stays', 'stays', 'stays', 'stays', 'stays']],
    [
      'of the same chain is accepted by all',
      { finalizedEpoch: 18n, root: rootOf(18), headSlot: BigInt(SLOT) },
      ['stays', 'stays', 'stays', 'stays', 'stays', 'stays'],
    ],
    ['with a head two slots ahead', { headSlot: BigInt(SLOT + 2) }, [2, 3, 'stays', 2, 2, 2]],
    ['with a head one slot ahead', { headSlot: BigInt(SLOT + 1) }, CLIENTS.map(() => 'stays')],
    ['with a head of 2^64-1', { headSlot: 2n ** 64n - 1n }, [2, 3, 'stays', 2, 2, 2]],
    [
      'finalized at another root',
      { finalizedEpoch: 17n, root: 'ab'.repeat(32), headSlot: BigInt(SLOT) },
      [2, 2, 2, 'stays', 2, 2],
    ],
    [
      'finalized later than anybody can have',
      { finalizedEpoch: 19n, root: 'ab'.repeat(32), headSlot: BigInt(SLOT) },
      ['stays', 3, 'proof', 'stays', 'stays', 'stays'],
    ],
    [
      'finalized after its own head',
      { finalizedEpoch: 17n, root: rootOf(17), headSlot: 32n },
      ['stays', 'stays', 'stays', 2, 'stays', 'stays'],
    ],
    [
      'finalized at 2^64-1',
      { finalizedEpoch: 2n ** 64n - 1n, headSlot: 0n },
      ['stays', 3, 'proof', 2, 'stays', 'stays'],
    ],
  ] as const)('%s', (_, fields, expected) => {
    expect(all(fields)).toEqual(expected);
  });

  it('of another digest is irrelevant to all', () => {
    expect(all({}, '8c9f62fe')).toEqual(CLIENTS.map(() => 2));
  });
});
