import { rename, writeFile } from 'node:fs/promises';
import type { Circumstance } from './circumstances.ts';
import { type DevnetClock, slotAt } from './clock.ts';
import { SLOTS_PER_EPOCH } from './duties.ts';
import type { Behaviour } from './faults.ts';
import { BOOTNODES, type Reach, type Trait } from './kinds.ts';
import type { SimulatedNode } from './node.ts';
import type { Place } from './places.ts';
import { type BlobParameters, type Fork, type ForkSchedule, forkDigest } from './schedule.ts';

/** The truth of a running devnet, as `DIR/network.json` tells it. All hex is without prefix. */
export interface DevnetFile {
  readonly genesis_time_ms: number;
  readonly slot_ms: number;
  readonly slots_per_epoch: number;
  readonly genesis_validators_root: string;
  /** The digest in force when the file was written; it follows from the schedule below at any other time. */
  readonly fork_digest: string;
  readonly active_validators: number;
  readonly bootnodes: readonly string[];
  readonly nodes: readonly DevnetNode[];
  /** Ascending by epoch; of several at one epoch the last is in force. */
  readonly forks: readonly Fork[];
  readonly blob_schedule: readonly BlobParameters[];
}

export interface DevnetNode extends Place {
  readonly peer_id: string;
  readonly enr: string;
  readonly multiaddrs: readonly string[];
  readonly client: string;
  readonly validators: number;
  readonly stake_eth: number;
  readonly custody_group_count: number;
  readonly long_lived_subnets: readonly number[];
  readonly behaviour: Behaviour;
  /** Where connections of the node come from when it has no address of its own. */
  readonly dials_from: string | null;
  readonly node_id: string;
  readonly agent: string;
  readonly reach: Reach;
  readonly traits: readonly Trait[];
  /** `roomy` where peers are treated leniently. */
  readonly circumstance: Circumstance;
}

export interface NetworkParts {
  readonly clock: DevnetClock;
  readonly schedule: ForkSchedule;
  readonly activeValidators: number;
  readonly nodes: readonly SimulatedNode[];
}

/** The truth as it is now. */
export function describeNetwork({ clock, schedule, activeValidators, nodes }: NetworkParts): DevnetFile {
  const epoch = Math.floor(slotAt(clock, Date.now()) / SLOTS_PER_EPOCH);
  return {
    genesis_time_ms: clock.genesisTimeMs,
    slot_ms: clock.slotMs,
    slots_per_epoch: SLOTS_PER_EPOCH,
    genesis_validators_root: schedule.genesisValidatorsRoot,
    fork_digest: forkDigest(schedule, epoch),
    active_validators: activeValidators,
    bootnodes: nodes.slice(0, BOOTNODES).map((node) => node.record().encodeTxt()),
    nodes: nodes.map(describeNode),
    forks: schedule.forks,
    blob_schedule: schedule.blobSchedule,
  };
}

function describeNode(node: SimulatedNode): DevnetNode {
  const { truth } = node;
  const record = node.record();
  return {
    peer_id: truth.peerId,
    enr: record.encodeTxt(),
    multiaddrs: LOCATIONS.flatMap((location) => {
      const address = record.getLocationMultiaddr(location);
      return address === undefined ? [] : [`${address}/p2p/${truth.peerId}`];
    }),
    client: truth.client,
    validators: truth.validators,
    stake_eth: truth.stakeEth,
    custody_group_count: truth.custodyGroupCount,
    long_lived_subnets: node.longLivedSubnets().toSorted((left, right) => left - right),
    behaviour: truth.behaviour,
    ...truth.place,
    dials_from: truth.reach === 'nat' ? LOOPBACK : null,
    node_id: truth.nodeId,
    agent: truth.agent,
    reach: truth.reach,
    traits: truth.traits,
    circumstance: node.circumstance,
  };
}

/** What the system gives to a socket that is bound to nothing. */
const LOOPBACK = '127.0.0.1';

/** Where libp2p may listen, as its record says. */
const LOCATIONS = ['tcp4', 'quic4', 'tcp6', 'quic6'] as const;

/** Replaces the file in one step, so that a reader sees the old truth or the new one and never half of either. */
export async function writeNetworkFile(path: string, network: DevnetFile): Promise<void> {
  const unfinished = `${path}.tmp`;
  await writeFile(unfinished, `${JSON.stringify(network, null, 1)}\n`);
  await rename(unfinished, path);
}
