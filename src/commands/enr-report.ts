import { isPublicUnicast } from '../consensus/address-policy.ts';
import { prefixSubnets, specifiedSubnets } from '../consensus/backbone-subnets.ts';
import { networkClock } from '../consensus/clock.ts';
import { readCustody } from '../consensus/estimators/custody.ts';
import { FAR_FUTURE_EPOCH, type ForkStep, type Network } from '../consensus/network.ts';
import { BUILT_IN_NETWORKS, builtInNetwork } from '../consensus/networks.ts';
import { multiaddrText, type NodeRecord } from '../consensus/node-record.ts';

/** Everything a node record says, as JSON has it. Field names are those of our events and of the record itself. */
export interface EnrReport {
  readonly valid: true;
  readonly enr: string;
  readonly seq: string;
  readonly node_id: string;
  readonly peer_id: string;
  readonly multiaddrs: readonly string[];
  /** Where discv5 listens, as `ip:port`. */
  readonly udp: readonly string[];
  /** Whether every address is one that may be dialled on a public network. */
  readonly public: boolean;
  readonly eth2: {
    readonly fork_digest: string;
    readonly next_fork_version: string;
    /** `null` when no fork is scheduled. */
    readonly next_fork_epoch: string | null;
    /** The built-in network and fork that carry this digest. */
    readonly network: string | null;
    readonly fork: string | null;
    readonly current: boolean | null;
  } | null;
  readonly nfd: string | null;
  readonly attnets: readonly number[] | null;
  readonly syncnets: readonly number[] | null;
  /** What the long-lived subnets would be by the specification now, and by Lighthouse's own rule. */
  readonly expected_attnets: {
    readonly specification: readonly number[] | null;
    readonly lighthouse: readonly number[];
  };
  readonly custody_group_count: number | null;
  /** Effective balance that the custody group count speaks of. */
  readonly stake_eth: { readonly low: number; readonly high: number | null } | null;
}

/** @param nowMs Unix time that "current" and the expected subnets are for */
export function enrReport(record: NodeRecord, nowMs: number): EnrReport {
  const found = record.eth2 === null ? null : findFork(record.eth2.forkDigest);
  const epoch = found === null ? null : networkClock(found.network).epochAt(nowMs);
  return {
    valid: true,
    enr: record.enr,
    seq: record.sequence.toString(),
    node_id: record.nodeId,
    peer_id: record.peerId,
    multiaddrs: record.addresses.map((address) => `${multiaddrText(address)}/p2p/${record.peerId}`),
    udp: record.udp.map(({ ip, port }) => (ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`)),
    public: [...record.addresses, ...record.udp].every(({ ip }) => isPublicUnicast(ip)),
    eth2: record.eth2 && {
      fork_digest: record.eth2.forkDigest,
      next_fork_version: record.eth2.nextForkVersion,
      next_fork_epoch: record.eth2.nextForkEpoch === FAR_FUTURE_EPOCH ? null : record.eth2.nextForkEpoch.toString(),
      network: found?.network.name ?? null,
      fork: found?.step.name ?? null,
      current: found === null || epoch === null ? null : isCurrent(found, epoch),
    },
    nfd: record.nextForkDigest,
    attnets: record.attnets,
    syncnets: record.syncnets,
    expected_attnets: {
      specification: epoch === null ? null : specifiedSubnets(record.nodeId, epoch),
      lighthouse: prefixSubnets(record.nodeId),
    },
    custody_group_count: record.custodyGroupCount,
    stake_eth: readCustody(record.custodyGroupCount, 'unknown').stakeEth,
  };
}

interface FoundFork {
  readonly network: Network;
  readonly step: ForkStep;
}

function findFork(digest: string): FoundFork | null {
  for (const name of BUILT_IN_NETWORKS) {
    const network = builtInNetwork(name);
    const step = network.forkSteps.find((candidate) => candidate.digest === digest);
    if (step !== undefined) return { network, step };
  }
  return null;
}

function isCurrent({ network, step }: FoundFork, epoch: number): boolean {
  return network.forkSteps.findLast((candidate) => candidate.epoch <= epoch) === step;
}

/** The report as a page for people. */
export function renderEnrReport(report: EnrReport): string {
  const { eth2, expected_attnets: expected } = report;
  const rows: [string, string][] = [
    ['signature', 'valid'],
    ['sequence', report.seq],
    ['peer id', report.peer_id],
    ['node id', report.node_id],
    ['libp2p', listed(report.multiaddrs) || 'no address: it can only dial others'],
    ['discv5', listed(report.udp) || 'no address'],
    ['reachable', report.public ? 'public addresses only' : 'has addresses that are not public'],
    ['fork', eth2 === null ? 'no eth2 entry: not a beacon node' : forkText(eth2)],
    ['next fork', eth2 === null ? '-' : nextForkText(eth2, report.nfd)],
    ['attnets', report.attnets === null ? 'missing' : report.attnets.join(' ') || 'none'],
    [
      'expected',
      `${expected.specification?.join(' ') ?? 'unknown network'} by the specification, ${expected.lighthouse.join(' ')} by Lighthouse's rule`,
    ],
    ['syncnets', report.syncnets === null ? 'missing' : report.syncnets.join(' ') || 'none'],
    ['custody', custodyText(report)],
  ];
  return rows.map(([label, value]) => `${label.padEnd(LABEL_WIDTH)}${value}`).join('\n');
}

const LABEL_WIDTH = 12;

function listed(values: readonly string[]): string {
  return values.join(`\n${' '.repeat(LABEL_WIDTH)}`);
}

function forkText({ fork_digest, network, fork, current }: NonNullable<EnrReport['eth2']>): string {
  if (network === null) return `${fork_digest}, of no network built in`;
  return `${fork_digest}: ${network} ${fork}${current === true ? ', current' : ', not the current one'}`;
}

function nextForkText(
  { next_fork_epoch, next_fork_version }: NonNullable<EnrReport['eth2']>,
  nfd: string | null,
): string {
  if (next_fork_epoch === null) return 'none scheduled';
  return `epoch ${next_fork_epoch}, version ${next_fork_version}${nfd === null ? '' : `, digest ${nfd}`}`;
}

function custodyText({ custody_group_count: count, stake_eth: stake }: EnrReport): string {
  if (count === null) return 'missing';
  if (stake === null) return `${count} groups, which says nothing of the stake`;
  if (stake.high === 0) return `${count} groups: no validators seen by the node`;
  return `${count} groups: ${stake.low} to ${stake.high ?? 'any number of'} ETH attached at some time`;
}
