import type { Behaviour } from './faults.ts';
import { type ForkSchedule, foreignSchedule, forkDigest, topicDigests } from './schedule.ts';
import { topic } from './topics.ts';

/** The topics of faulty nodes. */

const NO_FORKS_DIGEST = 'deadbeef';
const MANY = 10_000;

/** The digests under which a node is subscribed to its subnets at `epoch`. */
export function topicDigestsOf(behaviour: Behaviour, schedule: ForkSchedule, epoch: number): string[] {
  switch (behaviour) {
    case 'unknown-digest':
      return [NO_FORKS_DIGEST];
    case 'wrong-fork':
      return topicDigests(foreignSchedule(schedule), epoch);
    default:
      return topicDigests(schedule, epoch);
  }
}

/** Topics besides those of its subnets, the same for as long as it runs. */
export function oddTopics(behaviour: Behaviour, schedule: ForkSchedule): string[] {
  const ours = (name: string) => topic(forkDigest(schedule, 0), name);
  switch (behaviour) {
    case 'topic-without-number':
      return ['beacon_attestation_', 'beacon_attestation', 'sync_committee_', 'data_column_sidecar_'].map(ours);
    case 'subnet-out-of-range':
      return [
        'beacon_attestation_99999',
        'beacon_attestation_64',
        'beacon_attestation_-1',
        'sync_committee_4',
        'data_column_sidecar_128',
      ].map(ours);
    case 'ten-thousand-subscriptions':
      return Array.from({ length: MANY }, (_, index) => ours(`nothing_${index}`));
    default:
      return [];
  }
}
