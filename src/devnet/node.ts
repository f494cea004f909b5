import type { ENR, SignableENR } from '@chainsafe/enr';
import type { Circumstance } from './circumstances.ts';
import { type DevnetClock, slotAt } from './clock.ts';
import { SLOTS_PER_EPOCH } from './duties.ts';
import type { Host } from './host.ts';
import type { Libp2pHost } from './libp2p.ts';
import { managePeers } from './manage.ts';
import type { Self } from './methods.ts';
import { type Problem, receivePeers } from './peers.ts';
import type { Penalty } from './penalties.ts';
import { type Presence, presenceAt, publishedRecord, updateRecord } from './record.ts';
import { type ForkSchedule, foreignSchedule, forkDigest } from './schedule.ts';
import { seekPeers } from './seeker.ts';
import { subscriptionsOf } from './subscriptions.ts';
import type { NodeTruth } from './truth.ts';

/** How nodes treat their peers: as their clients really do, or with patience. */
export const MANNERS = ['lenient', 'as-real'] as const;
export type Manners = (typeof MANNERS)[number];

export interface NodeOptions {
  readonly truth: NodeTruth;
  readonly schedule: ForkSchedule;
  readonly clock: DevnetClock;
  readonly host: Host;
  readonly record: SignableENR;
  /** `as-real` unless told otherwise. */
  readonly manners?: Manners;
  /** Only where manners are as real: whether banned peers count against the address that they have come from. */
  readonly bansAddresses?: boolean;
  /** Whether a node id is that of nobody in this devnet. */
  readonly isStranger: (nodeId: string) => boolean;
  readonly onProblem: (problem: Problem) => void;
  readonly onPenalty?: (penalty: Penalty) => void;
  /** Called when the attestation subnets that the node is subscribed to have changed. */
  readonly onSubnets: (truth: NodeTruth, subnets: readonly number[]) => void;
}

export interface SimulatedNode {
  readonly truth: NodeTruth;
  readonly circumstance: Circumstance;
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
/** Of mainnet, on which clients' pauses between connections are made. */
const REAL_SLOT_MS = 12_000;

/** Makes a beacon node of a host: it serves, it follows its duties, and it treats peers as its client does. */
export async function simulateNode(options: NodeOptions): Promise<SimulatedNode> {
  const { truth, schedule, host, manners = 'as-real' } = options;
  const circumstance = manners === 'as-real' ? truth.circumstance : 'roomy';
  const presence = new PresentNode(options);
  const duties = new DisposableStack();
  if (host.libp2p !== null) {
    const parts: Parts = { ...options, presence, circumstance, libp2p: host.libp2p };
    for (const end of await (manners === 'as-real' ? treatAsReal(parts) : treatLeniently(parts))) duties.defer(end);
  }
  const pubsub = host.libp2p?.pubsub ?? null;
  const follow = pubsub === null ? null : followDuties(pubsub, subscriptionsOf(truth, schedule), options.onSubnets);
  return {
    truth,
    circumstance,
    record: () => presence.record,
    longLivedSubnets: () => presence.current.longLived,
    meet: (other) => host.discovery.addEnr(other),
    advance: (slot) => {
      const changed = presence.enter(Math.floor(slot / SLOTS_PER_EPOCH));
      follow?.(truth, slot, presence.current);
      return changed;
    },
    retire: () => duties.dispose(),
  };
}

/** What a node says of itself, epoch by epoch. */
class PresentNode {
  current: Presence;
  record: ENR;
  epoch: number;
  sequence = 1;
  readonly #options: NodeOptions;

  constructor(options: NodeOptions) {
    this.#options = options;
    this.epoch = Math.floor(slotAt(options.clock, Date.now()) / SLOTS_PER_EPOCH);
    this.current = presenceAt(options.truth, options.schedule, this.epoch);
    this.record = publishedRecord(options.record);
  }

  /** True when the record has changed. */
  enter(epoch: number): boolean {
    if (epoch === this.epoch) return false;
    const { truth, schedule, record } = this.#options;
    const before = this.current;
    this.epoch = epoch;
    this.current = presenceAt(truth, schedule, epoch);
    const sameSubnets = `${before.longLived}|${before.sync}` === `${this.current.longLived}|${this.current.sync}`;
    if (!sameSubnets) this.sequence += 1;
    const changed = updateRecord(record, this.current);
    if (changed) this.record = publishedRecord(record);
    return changed;
  }
}

interface Parts extends Omit<NodeOptions, 'host'> {
  readonly host: Host;
  readonly libp2p: Libp2pHost;
  readonly presence: PresentNode;
  readonly circumstance: Circumstance;
}

function selfOf({ truth, schedule, clock, presence, circumstance }: Parts): Self {
  return {
    client: truth.client,
    schedule: truth.behaviour === 'wrong-fork' ? foreignSchedule(schedule) : schedule,
    custodyGroupCount: truth.custodyGroupCount,
    isSynced: circumstance !== 'syncing',
    slot: () => slotAt(clock, Date.now()),
    presence: () => presence.current,
    metaDataSequence: () => presence.sequence,
  };
}

const quotaPaceOf = ({ slotMs }: DevnetClock) => Math.min(1, slotMs / UNHURRIED_SLOT_MS);

/** Resolves with what ends it. */
async function treatLeniently(parts: Parts): Promise<(() => void)[]> {
  const { truth, schedule, clock, host, presence, isStranger, onProblem } = parts;
  const { libp2p } = parts.libp2p;
  const { behaviour } = truth;
  const stop = await receivePeers({ libp2p, behaviour, pace: quotaPaceOf(clock), onProblem, self: selfOf(parts) });
  if (truth.reach !== 'nat') return [stop];
  const seeking = seekPeers({
    discovery: host.discovery,
    libp2p,
    epoch: () => Math.floor(slotAt(clock, Date.now()) / SLOTS_PER_EPOCH),
    isStranger,
    forkDigest: () => forkDigest(schedule, presence.epoch),
    onFailure: (during, error) => onProblem({ peerId: truth.peerId, during, error }),
  });
  return [stop, () => seeking.unsubscribe()];
}

/** Resolves with what ends it. Clients' seconds stay seconds, but for what is measured against an epoch. */
async function treatAsReal(parts: Parts): Promise<(() => void)[]> {
  const { clock, host, presence, bansAddresses = false, onPenalty = () => undefined } = parts;
  const stop = await managePeers({
    ...parts,
    bansAddresses,
    onPenalty,
    host: parts.libp2p,
    discovery: host.discovery,
    self: selfOf(parts),
    epoch: () => presence.epoch,
    quotaPace: quotaPaceOf(clock),
    pausePace: Math.min(1, clock.slotMs / REAL_SLOT_MS),
  });
  return [stop];
}

/** Keeps a node subscribed to what its duties are. */
function followDuties(
  pubsub: NonNullable<Libp2pHost['pubsub']>,
  subscriptionsAt: ReturnType<typeof subscriptionsOf>,
  onSubnets: NodeOptions['onSubnets'],
): (truth: NodeTruth, slot: number, presence: Presence) => void {
  let topics: ReadonlySet<string> = new Set();
  let subnets = '';
  return (truth, slot, presence) => {
    const wanted = subscriptionsAt(slot, presence);
    for (const topic of wanted.topics) if (!topics.has(topic)) pubsub.subscribe(topic);
    for (const topic of topics) if (!wanted.topics.has(topic)) pubsub.unsubscribe(topic);
    topics = wanted.topics;
    if (wanted.subnets.join() === subnets) return;
    subnets = wanted.subnets.join();
    onSubnets(truth, wanted.subnets);
  };
}
