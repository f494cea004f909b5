import { type AddressBlock, claimAddressBlock } from './addresses.ts';
import type { ClientName } from './clients.ts';
import type { DevnetClock } from './clock.ts';
import { SLOTS_PER_EPOCH } from './duties.ts';
import { endpointsOf } from './endpoints.ts';
import { type Host, startHost } from './host.ts';
import { type Manners, type NodeOptions, type SimulatedNode, simulateNode } from './node.ts';
import { createRecord, presenceAt } from './record.ts';
import type { ForkSchedule } from './schedule.ts';
import type { NodeTruth } from './truth.ts';

/** What a devnet is to be, with nothing left open. */
export interface DevnetPlan {
  readonly seed: number;
  readonly slotMs: number;
  readonly firstEpoch: number;
  readonly activeValidators: number;
  readonly manners: Manners;
  readonly bansAddresses: boolean;
  readonly schedule: ForkSchedule;
  readonly truths: readonly NodeTruth[];
}

export interface RunningNodes {
  readonly clock: DevnetClock;
  readonly nodes: readonly SimulatedNode[];
}

/** Starts every node; the clock begins when all of them listen. What is started is put on the stack. */
export async function startNodes(
  plan: DevnetPlan,
  started: AsyncDisposableStack,
  heard: Pick<NodeOptions, 'onProblem' | 'onPenalty' | 'onSubnets'>,
): Promise<RunningNodes> {
  const { truths, schedule, manners, bansAddresses, slotMs, firstEpoch } = plan;
  const block = await claimAddressBlock();
  started.defer(() => block.release());
  const hosts: StartedHost[] = [];
  started.defer(async () => void (await Promise.all(hosts.map(({ host }) => host.stop()))));
  for (const truth of truths) hosts.push(await startOn(block, truth, plan));

  const clock: DevnetClock = { slotMs, genesisTimeMs: Date.now() - firstEpoch * SLOTS_PER_EPOCH * slotMs };
  const nodeIds = new Set(truths.map((truth) => truth.nodeId));
  const isStranger = (nodeId: string) => !nodeIds.has(nodeId);
  const nodes: SimulatedNode[] = [];
  started.defer(() => {
    for (const node of nodes) node.retire();
  });
  for (const host of hosts) {
    nodes.push(await simulateNode({ ...host, ...heard, schedule, clock, manners, bansAddresses, isStranger }));
  }
  return { clock, nodes };
}

interface StartedHost {
  readonly truth: NodeTruth;
  readonly record: ReturnType<typeof createRecord>;
  readonly host: Host;
}

async function startOn(
  block: AddressBlock,
  truth: NodeTruth,
  { schedule, firstEpoch, manners }: DevnetPlan,
): Promise<StartedHost> {
  const endpoints = await endpointsOf(truth, truth.index, block, manners === 'as-real' && hasQuic(truth));
  const record = createRecord(truth, presenceAt(truth, schedule, firstEpoch), endpoints);
  return { truth, record, host: await startHost({ truth, record, endpoints, block }) };
}

/** These listen on QUIC unless told otherwise, and dial it first; some operators tell them otherwise. */
const QUIC_CLIENTS: readonly ClientName[] = ['Lighthouse', 'Grandine', 'Prysm', 'Teku'];
const ONE_IN_WITHOUT_QUIC = 4;

function hasQuic({ client, index, behaviour }: NodeTruth): boolean {
  return behaviour === 'honest' && QUIC_CLIENTS.includes(client) && index % ONE_IN_WITHOUT_QUIC !== 0;
}
