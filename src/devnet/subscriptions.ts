import { custodyGroups } from './assignment.ts';
import { type Duty, dutiesOf, SLOTS_PER_EPOCH, subnetsFor } from './duties.ts';
import { oddTopics, topicDigestsOf } from './hostile-topics.ts';
import { everySubnet, type Presence } from './record.ts';
import type { ForkSchedule } from './schedule.ts';
import {
  attestationTopicName,
  dataColumnTopicName,
  GLOBAL_TOPIC_NAMES,
  syncCommitteeTopicName,
  topic,
} from './topics.ts';
import type { NodeTruth } from './truth.ts';

/** What a node is subscribed to during a slot. */
export interface Subscriptions {
  readonly topics: ReadonlySet<string>;
  /** Attestation subnets, long-lived and short-lived, ascending. */
  readonly subnets: readonly number[];
}

/** SAMPLES_PER_SLOT (fulu): a node samples, and so subscribes to, at least so many columns. */
const MIN_SAMPLED_GROUPS = 8;

/** The subscriptions of one node as a function of the slot, for slots that ascend: draws each epoch's duties once. */
export function subscriptionsOf(
  truth: NodeTruth,
  schedule: ForkSchedule,
): (slot: number, presence: Presence) => Subscriptions {
  const groups = custodyGroups(truth.nodeId, Math.max(MIN_SAMPLED_GROUPS, truth.custodyGroupCount));
  const permanent = truth.traits.includes('subscribe-all') ? everySubnet() : [];
  const odd = oddTopics(truth.behaviour, schedule);
  const always = [...GLOBAL_TOPIC_NAMES, ...groups.map(dataColumnTopicName)];
  const drawn = new Map<number, Duty[]>();

  const dutiesAround = (epoch: number): Duty[] => {
    for (const old of drawn.keys()) if (old < epoch) drawn.delete(old);
    // No client looks beyond the next epoch.
    return [epoch, epoch + 1].flatMap((at) => {
      const duties = drawn.get(at) ?? dutiesOf(truth, at);
      drawn.set(at, duties);
      return duties;
    });
  };

  return (slot, { longLived, sync }) => {
    const epoch = Math.floor(slot / SLOTS_PER_EPOCH);
    const shortLived = subnetsFor(truth.client, dutiesAround(epoch), slot);
    const subnets = [...new Set([...permanent, ...longLived, ...shortLived])].sort((left, right) => left - right);
    const names = [...always, ...sync.map(syncCommitteeTopicName), ...subnets.map(attestationTopicName)];
    const digests = topicDigestsOf(truth.behaviour, schedule, epoch);
    const topics = digests.flatMap((digest) => names.map((name) => topic(digest, name)));
    return { subnets, topics: new Set([...topics, ...odd]) };
  };
}
