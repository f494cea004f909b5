import { type ENR, SignableENR } from '@chainsafe/enr';
import { longLivedSubnets, prefixSubnets, SUBNET_COUNT } from './assignment.ts';
import { bitVector } from './bytes.ts';
import { syncSubnetsOf } from './duties.ts';
import type { Endpoints } from './endpoints.ts';
import { type ForkSchedule, forkEntries } from './schedule.ts';
import type { NodeTruth } from './truth.ts';

/** What a node says of itself for longer than a duty lasts, in its record and its MetaData. */
export interface Presence {
  /** The attestation subnets of `attnets`. */
  readonly longLived: readonly number[];
  readonly sync: readonly number[];
  /** The changing entries of the record, as bytes. */
  readonly entries: Readonly<Record<'eth2' | 'attnets' | 'syncnets' | 'cgc' | 'nfd', Uint8Array>>;
}

export function presenceAt(truth: NodeTruth, schedule: ForkSchedule, epoch: number): Presence {
  const longLived = longLivedAt(truth, epoch);
  const sync = syncSubnetsOf(truth, epoch);
  return {
    longLived,
    sync,
    entries: {
      ...forkEntries(schedule, epoch),
      attnets: bitVector(longLived, 8).subarray(0, truth.behaviour === 'short-attnets' ? 4 : 8),
      syncnets: bitVector(sync, 1),
      // A number of the recursive length prefix, of which zero has no bytes.
      cgc: new Uint8Array(truth.custodyGroupCount === 0 ? [] : [truth.custodyGroupCount]),
    },
  };
}

/** Lodestar's flag for all subnets is heard in gossip only. */
function longLivedAt({ client, nodeId, traits }: NodeTruth, epoch: number): number[] {
  if (traits.includes('subscribe-all') && client !== 'Lodestar') return everySubnet();
  return traits.includes('prefix-subnets') ? prefixSubnets(nodeId) : longLivedSubnets(nodeId, epoch);
}

export function everySubnet(): number[] {
  return Array.from({ length: SUBNET_COUNT }, (_, subnet) => subnet);
}

/** A new node's record, with sequence number 1. */
export function createRecord(truth: NodeTruth, presence: Presence, { entries }: Endpoints): SignableENR {
  return SignableENR.createV4(truth.privateKey.raw, { ...entries, ...presence.entries });
}

/** Brings a record up to date: one step of the sequence number if anything differs, none otherwise. */
export function updateRecord(record: SignableENR, presence: Presence): boolean {
  const changed = Object.entries(presence.entries).filter(
    ([key, value]) => Buffer.compare(record.kvs.get(key) ?? new Uint8Array(), value) !== 0,
  );
  if (changed.length === 0) return false;
  const next = record.seq + 1n;
  for (const [key, value] of changed) record.set(key, value);
  record.seq = next;
  return true;
}

/** The record as others hold it: signed, and no longer following its owner's changes. */
export function publishedRecord(record: SignableENR): ENR {
  return record.toENR();
}
