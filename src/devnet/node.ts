import type { ENR, SignableENR } from '@chainsafe/enr';
import { type DevnetClock, slotAt } from './clock.ts';
import { SLOTS_PER_EPOCH } from './duties.ts';
import type { Host } from './host.ts';
import { type Problem, receivePeers } from './peers.ts';
import { presenceAt, publishedRecord, updateRecord } from './record.ts';
import { type ForkSchedule, foreignSchedule, forkDigest } from './schedule.ts';
import { seekPeers } from './seeker.ts';
import { subscriptionsOf } from './subscriptions.ts';
import type { NodeTruth } from './truth.ts';

export interface NodeOptions {
  readonly truth: NodeTruth;
  readonly schedule: ForkSchedule;
  readonly clock: DevnetClock;
  readonly host: Host;
  readonly record: SignableENR;
  /** Whether a node id is that of nobody in this devnet. */
  readonly isStranger: (nodeId: string) => boolean;
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

/** From this length of a slot on, an epoch is long enough for clients' real quotas of requests. */
const UNHURRIED_SLOT_MS = 250;

/** Makes a beacon node of a host: it serves, it follows its duties, and it treats diallers as its client does. */
export async function simulateNode(options: NodeOptions): Promise<SimulatedNode> {
  const { truth, schedule, clock, host, record, isStranger, onProblem, onSubnets } = options;
  const pubsub = host.libp2p?.pubsub;
  const subscriptionsAt = subscriptionsOf(truth, schedule);
  const currentSlot = () => slotAt(clock, Date.now());
  const duties = new DisposableStack();

  let epoch = Math.floor(currentSlot() / SLOTS_PER_EPOCH);
  let presence = presenceAt(truth, schedule, epoch);
  let published = publishedRecord(record);
  let metaDataSequence = 1;
  let topics: ReadonlySet<string> = new Set();
  let subnets = '';

  if (host.libp2p !== null) {
    const { libp2p } = host.libp2p;
    const stopReceiving = await receivePeers({
      libp2p,
      behaviour: truth.behaviour,
      pace: Math.min(1, clock.slotMs / UNHURRIED_SLOT_MS),
      onProblem,
      self: {
        client: truth.client,
        schedule: truth.behaviour === 'wrong-fork' ? foreignSchedule(schedule) : schedule,
        custodyGroupCount: truth.custodyGroupCount,
        slot: currentSlot,
        presence: () => presence,
        metaDataSequence: () => metaDataSequence,
      },
    });
    duties.defer(stopReceiving);
    if (truth.reach === 'nat') {
      const seeking = seekPeers({
        discovery: host.discovery,
        libp2p,
        epoch: () => Math.floor(currentSlot() / SLOTS_PER_EPOCH),
        isStranger,
        forkDigest: () => forkDigest(schedule, epoch),
        onFailure: (during, error) => onProblem({ peerId: truth.peerId, during, error }),
      });
      duties.defer(() => seeking.unsubscribe());
    }
  }

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
      if (pubsub === null || pubsub === undefined) return changed;
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
    retire: () => duties.dispose(),
  };
}
