import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type AddressBlock, claimAddressBlock, hasIp6Loopback, MAX_NODES } from './addresses.ts';
import { type DevnetClock, slotAt, slots } from './clock.ts';
import { SLOTS_PER_EPOCH } from './duties.ts';
import { endpointsOf } from './endpoints.ts';
import { type Host, startHost } from './host.ts';
import { installNativeRecordCrypto } from './native-crypto.ts';
import { acquaintances } from './neighbours.ts';
import { type DevnetFile, describeNetwork, writeNetworkFile } from './network-file.ts';
import { type NodeOptions, type SimulatedNode, simulateNode } from './node.ts';
import type { Problem } from './peers.ts';
import { createRecord, presenceAt } from './record.ts';
import { type ForkPlan, type ForkSchedule, fuluSchedule, withForks } from './schedule.ts';
import { openSubscriptionLog } from './subscription-log.ts';
import { drawTruth, type NodeTruth } from './truth.ts';

export interface DevnetOptions {
  readonly nodes: number;
  readonly seed: number;
  readonly slotMs: number;
  /** Where `network.json` goes; made if missing. */
  readonly dir: string;
  /** Active validators of the network that the nodes are part of; most of them are elsewhere. */
  readonly activeValidators?: number;
  /** Whether to write `subscriptions.ndjson` beside `network.json`. */
  readonly recordSubscriptions?: boolean;
  /** Forks and blob parameters by epoch; the devnet begins in epoch 10. */
  readonly schedule?: ForkSchedule;
  /** Changes of the fork digest besides, each at an epoch after the first. */
  readonly forkIn?: ForkPlan;
  /** Whether there are nodes of every kind, faulty ones among them; by default from 100 nodes on. */
  readonly faults?: boolean;
  /** Told of what goes wrong with a peer. */
  readonly onProblem?: (problem: Problem) => void;
}

export interface Devnet {
  /** What `network.json` says at this moment. */
  readonly network: DevnetFile;
  readonly networkPath: string;
  stop(): Promise<void>;
}

/** The network has finalised, and clients that look back find epochs to look at. */
export const FIRST_EPOCH = 10;
const DEFAULT_ACTIVE_VALIDATORS = 1_000_000;
/** With fewer nodes there would be too many odd ones among them. */
const MIN_MIXED_NODES = 100;

/**
 * Starts a network of simulated beacon nodes on loopback. Who they are and what their validators do follows from the
 * seed alone; addresses, and with them signatures, depend on what is free on the machine.
 * @throws RangeError when the number of nodes is not possible, Error when no addresses are free.
 */
export async function startDevnet(options: DevnetOptions): Promise<Devnet> {
  const { nodes: count, seed, slotMs, dir, recordSubscriptions = false, onProblem = () => undefined } = options;
  const { activeValidators = DEFAULT_ACTIVE_VALIDATORS, faults: mixed = count >= MIN_MIXED_NODES } = options;
  if (!Number.isInteger(count) || count < 1 || count > MAX_NODES) {
    throw new RangeError(`a devnet has 1 to ${MAX_NODES} nodes, not ${count}`);
  }
  const schedule = planForks(options.schedule ?? fuluSchedule(seed), options.forkIn);
  installNativeRecordCrypto();
  const drawn = drawTruth({ nodes: count, seed, activeValidators, firstEpoch: FIRST_EPOCH, mixed });
  const truths = mixed && !(await hasIp6Loopback()) ? drawn.map(withoutIp6) : drawn;

  // What has been started is stopped in reverse, on request or when a later step fails.
  const started = new AsyncDisposableStack();
  try {
    await mkdir(dir, { recursive: true });
    const block = await claimAddressBlock();
    started.defer(() => block.release());
    const hosts: StartedHost[] = [];
    started.defer(async () => void (await Promise.all(hosts.map(({ host }) => host.stop()))));
    for (const truth of truths) hosts.push(await startOn(block, truth, schedule));

    const log = recordSubscriptions ? openSubscriptionLog(join(dir, 'subscriptions.ndjson')) : undefined;
    if (log !== undefined) started.defer(() => log.close());
    const clock: DevnetClock = { slotMs, genesisTimeMs: Date.now() - FIRST_EPOCH * SLOTS_PER_EPOCH * slotMs };
    const nodes: SimulatedNode[] = [];
    const nodeIds = new Set(truths.map((truth) => truth.nodeId));
    const isStranger = (nodeId: string) => !nodeIds.has(nodeId);
    started.defer(() => {
      for (const node of nodes) node.retire();
    });
    for (const host of hosts) {
      const onSubnets: NodeOptions['onSubnets'] = (...change) => log?.write(...change);
      nodes.push(await simulateNode({ ...host, schedule, clock, isStranger, onProblem, onSubnets }));
    }

    const neighbours = acquaintances(truths, seed);
    const introduce = (newcomers: ReadonlySet<SimulatedNode>) => {
      for (const [index, known] of neighbours.entries()) {
        for (const other of known.map((neighbour) => nodes[neighbour])) {
          if (other !== undefined && newcomers.has(other)) nodes[index]?.meet(other.record());
        }
      }
    };
    introduce(new Set(nodes));

    const networkPath = join(dir, 'network.json');
    const describe = () => describeNetwork({ clock, schedule, activeValidators, nodes });
    const firstSlot = slotAt(clock, Date.now());
    for (const node of nodes) node.advance(firstSlot);
    let network = describe();
    await writeNetworkFile(networkPath, network);

    let lastWrite: Promise<void> = Promise.resolve();
    started.defer(() => lastWrite);
    const ticking = slots(clock).subscribe((slot) => {
      const changed = nodes.filter((node) => node.advance(slot));
      if (changed.length === 0) return;
      introduce(new Set(changed));
      network = describe();
      lastWrite = lastWrite
        .then(() => writeNetworkFile(networkPath, network))
        .catch((error: unknown) => onProblem({ peerId: '', during: `writing ${networkPath}`, error }));
    });
    started.defer(() => ticking.unsubscribe());

    return {
      get network() {
        return network;
      },
      networkPath,
      stop: () => started.disposeAsync(),
    };
  } catch (error) {
    await started.disposeAsync();
    throw error;
  }
}

interface StartedHost {
  readonly truth: NodeTruth;
  readonly record: ReturnType<typeof createRecord>;
  readonly host: Host;
}

async function startOn(block: AddressBlock, truth: NodeTruth, schedule: ForkSchedule): Promise<StartedHost> {
  const endpoints = await endpointsOf(truth, truth.index, block);
  const record = createRecord(truth, presenceAt(truth, schedule, FIRST_EPOCH), endpoints);
  return { truth, record, host: await startHost({ truth, record, endpoints, block }) };
}

/** @throws RangeError for a fork that is not ahead */
function planForks(schedule: ForkSchedule, plan: ForkPlan = {}): ForkSchedule {
  for (const [name, epoch] of Object.entries(plan)) {
    if (!Number.isInteger(epoch) || epoch <= FIRST_EPOCH) {
      throw new RangeError(`${name} must be an epoch after ${FIRST_EPOCH}, in which a devnet begins, not ${epoch}`);
    }
  }
  return withForks(schedule, plan);
}

/** On a machine without IPv6 such nodes are as the others. */
function withoutIp6(truth: NodeTruth): NodeTruth {
  return truth.reach === 'ipv6-only' || truth.reach === 'dual-stack' ? { ...truth, reach: 'tcp' } : truth;
}
