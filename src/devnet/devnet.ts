import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { hasIp6Loopback, MAX_NODES } from './addresses.ts';
import { type DevnetPlan, startNodes } from './devnet-nodes.ts';
import { installNativeRecordCrypto, installNativeSessionCrypto } from './native-crypto.ts';
import type { DevnetFile } from './network-file.ts';
import type { Manners } from './node.ts';
import type { Problem } from './peers.ts';
import { openPenaltyBook, type Penalty } from './penalties.ts';
import { publishTruth } from './published-truth.ts';
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
  /** The epoch in which the devnet begins; 0 for a network at its genesis, before anything is finalized. By default 10. */
  readonly firstEpoch?: number;
  /**
   * How nodes treat their peers. By default `as-real`: they dial, judge, ban and refuse as the clients do, and where there
   * are nodes of every kind, some are full, crowded or syncing. `lenient` ones mind nothing and have room for everybody.
   */
  readonly manners?: Manners;
  /**
   * Whether banned peers make the address banned that they have come from, as at Lighthouse. Not by default: on loopback
   * everybody has the same.
   */
  readonly bansAddresses?: boolean;
  /** Told of what goes wrong with a peer. */
  readonly onProblem?: (problem: Problem) => void;
}

export interface Devnet {
  /** What `network.json` says at this moment. */
  readonly network: DevnetFile;
  readonly networkPath: string;
  /** What nodes have held against their peers so far; nothing where they are lenient. */
  penalties(): readonly Penalty[];
  /** The same, a line of JSON each, written as it happens; there is no such file where nodes are lenient. */
  readonly penaltiesPath: string;
  stop(): Promise<void>;
}

/** The network has finalised, and clients that look back find epochs to look at. */
export const FIRST_EPOCH = 10;
const PENALTIES_FILE = 'penalties.ndjson';
const DEFAULT_ACTIVE_VALIDATORS = 1_000_000;
/** With fewer nodes there would be too many odd ones among them. */
const MIN_MIXED_NODES = 100;

/**
 * Starts a network of simulated beacon nodes on loopback. Who they are and what their validators do follows from the
 * seed alone; addresses, and with them signatures, depend on what is free on the machine.
 * @throws RangeError when the number of nodes is not possible, Error when no addresses are free.
 */
export async function startDevnet(options: DevnetOptions): Promise<Devnet> {
  const { dir, recordSubscriptions = false, onProblem = () => undefined } = options;
  const plan = await planOf(options);
  installNativeRecordCrypto();
  await installNativeSessionCrypto();
  const penaltiesPath = join(dir, PENALTIES_FILE);

  // What has been started is stopped in reverse, on request or when a later step fails.
  const started = new AsyncDisposableStack();
  try {
    await mkdir(dir, { recursive: true });
    const log = recordSubscriptions ? openSubscriptionLog(join(dir, 'subscriptions.ndjson')) : undefined;
    if (log !== undefined) started.defer(() => log.close());
    const book = plan.manners === 'as-real' ? openPenaltyBook(penaltiesPath) : undefined;
    if (book !== undefined) started.defer(() => book.close());
    const running = await startNodes(plan, started, {
      onProblem,
      onPenalty: (penalty) => book?.note(penalty),
      onSubnets: (...change) => log?.write(...change),
    });
    const published = await publishTruth({ ...plan, ...running, dir, onProblem }, started);
    return {
      get network() {
        return published.network;
      },
      networkPath: published.path,
      penalties: () => book?.penalties ?? [],
      penaltiesPath,
      stop: () => started.disposeAsync(),
    };
  } catch (error) {
    await started.disposeAsync();
    throw error;
  }
}

async function planOf(options: DevnetOptions): Promise<DevnetPlan> {
  const { nodes: count, seed, slotMs, faults: mixed = count >= MIN_MIXED_NODES, firstEpoch = FIRST_EPOCH } = options;
  const { activeValidators = DEFAULT_ACTIVE_VALIDATORS, manners = 'as-real', bansAddresses = false } = options;
  if (!Number.isInteger(count) || count < 1 || count > MAX_NODES) {
    throw new RangeError(`a devnet has 1 to ${MAX_NODES} nodes, not ${count}`);
  }
  const schedule = planForks(options.schedule ?? fuluSchedule(seed), firstEpoch, options.forkIn);
  const drawn = drawTruth({ nodes: count, seed, activeValidators, firstEpoch, mixed });
  const truths = mixed && !(await hasIp6Loopback()) ? drawn.map(withoutIp6) : drawn;
  return { seed, slotMs, firstEpoch, activeValidators, manners, bansAddresses, schedule, truths };
}

/** @throws RangeError for a fork that is not ahead */
function planForks(schedule: ForkSchedule, firstEpoch: number, plan: ForkPlan = {}): ForkSchedule {
  for (const [name, epoch] of Object.entries(plan)) {
    if (!Number.isInteger(epoch) || epoch <= firstEpoch) {
      throw new RangeError(`${name} must be an epoch after ${firstEpoch}, in which a devnet begins, not ${epoch}`);
    }
  }
  return withForks(schedule, plan);
}

/** On a machine without IPv6 such nodes are as the others. */
function withoutIp6(truth: NodeTruth): NodeTruth {
  return truth.reach === 'ipv6-only' || truth.reach === 'dual-stack' ? { ...truth, reach: 'tcp' } : truth;
}
