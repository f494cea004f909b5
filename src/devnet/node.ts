import type { ENR, SignableENR } from '@chainsafe/enr';
import { CLIENTS } from './clients.ts';
import { type DevnetClock, slotAt } from './clock.ts';
import { SLOTS_PER_EPOCH } from './duties.ts';
import type { Host } from './host.ts';
import { type Problem, receivePeers } from './peers.ts';
import { presenceAt, publishedRecord, updateRecord } from './record.ts';
import type { ForkSchedule } from './schedule.ts';
import { subscriptionsOf } from './subscriptions.ts';
import type { NodeTruth } from './truth.ts';

export interface NodeOptions {
  readonly truth: NodeTruth;
  readonly schedule: ForkSchedule;
  readonly clock: DevnetClock;
  readonly host: Host;
  readonly record: SignableENR;
  readonly onProblem: (problem: Problem) => void;
  /** Called when the attestation subnets that the node is subscribed to have changed. */
  readonly onSubnets: (truth: NodeTruth, subnets: readonly number[]) => void;
}

export interface SimulatedNode {
  readonly truth: NodeTruth;
  /** The current record, signed. */
  record(): ENR;
  longLivedSubnets(): readonly number[];
  /** Puts another node's record into this one's discv5 table. */
  meet(record: ENR): void;
  /** Brings subscriptions, record and MetaData to what they are at `slot`; true when the record has changed. */
  advance(slot: number): boolean;
  /** Takes no more notice of peers; the host is its starter's to stop. */
  retire(): void;
}

/** Makes a beacon node of a host: it serves, it follows its duties, and it treats diallers as its client does. */
export async function simulateNode(options: NodeOptions): Promise<SimulatedNode> {
  const { truth, schedule, clock, host, record, onProblem, onSubnets } = options;
  const { pubsub } = host.libp2p.services;
  const profile = CLIENTS[truth.client];
  const subscriptionsAt = subscriptionsOf(truth, schedule);
  const currentSlot = () => slotAt(clock, Date.now());

  let epoch = Math.floor(currentSlot() / SLOTS_PER_EPOCH);
  let presence = presenceAt(truth, schedule, epoch);
  let published = publishedRecord(record);
  let metaDataSequence = 1;
  let topics: ReadonlySet<string> = new Set();
  let subnets = '';

  const stopReceiving = await receivePeers({
    libp2p: host.libp2p,
    profile,
    onProblem,
    self: {
      schedule,
      custodyGroupCount: truth.custodyGroupCount,
      slot: currentSlot,
      presence: () => presence,
      metaDataSequence: () => metaDataSequence,
    },
  });

  const enterEpoch = (next: number): boolean => {
    const before = presence;
    epoch = next;
    presence = presenceAt(truth, schedule, epoch);
    const sameSubnets = `${before.longLived}|${before.sync}` === `${presence.longLived}|${presence.sync}`;
    if (!sameSubnets) metaDataSequence += 1;
    const changed = updateRecord(record, presence);
    if (changed) published = publishedRecord(record);
    return changed;
  };

  return {
    truth,
    record: () => published,
    longLivedSubnets: () => presence.longLived,
    meet: (other) => host.discovery.addEnr(other),
    advance: (slot) => {
      const slotEpoch = Math.floor(slot / SLOTS_PER_EPOCH);
      const changed = slotEpoch !== epoch && enterEpoch(slotEpoch);
      const wanted = subscriptionsAt(slot, presence);
      for (const topic of wanted.topics) if (!topics.has(topic)) pubsub.subscribe(topic);
      for (const topic of topics) if (!wanted.topics.has(topic)) pubsub.unsubscribe(topic);
      topics = wanted.topics;
      if (wanted.subnets.join() !== subnets) {
        subnets = wanted.subnets.join();
        onSubnets(truth, wanted.subnets);
      }
      return changed;
    },
    retire: stopReceiving,
  };
}
