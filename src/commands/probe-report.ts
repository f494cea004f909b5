import { setBits } from '../consensus/bits.ts';
import { clientOf } from '../consensus/client.ts';
import type { Failure } from '../consensus/failure.ts';
import { decodeNodeRecord } from '../consensus/node-record.ts';
import { shortLivedSubnets } from '../consensus/subnets.ts';
import type { ProbeTarget } from '../programs/probe-peer.ts';
import { malformation } from '../streams/admission.ts';
import type { Observation, VisitOutcome } from '../streams/visit.ts';

/** What a probe found out, as one JSON object. `null` stands for what was not learnt. */
export interface ProbeReport {
  readonly observed: boolean;
  readonly peer_id: string;
  readonly enr: string | null;
  /** Why nothing was observed. */
  readonly failure: Failure | null;
  readonly client: string;
  readonly client_version: string | null;
  readonly multiaddr: string | null;
  readonly transport: string | null;
  readonly direction: string | null;
  readonly status: {
    readonly fork_digest: string;
    readonly finalized_epoch: number;
    readonly finalized_root: string;
    readonly head_slot: number;
    readonly head_root: string;
    readonly earliest_available_slot: number | null;
  } | null;
  readonly metadata: {
    readonly seq_number: number;
    readonly attnets: readonly number[];
    readonly syncnets: readonly number[];
    readonly custody_group_count: number | null;
  } | null;
  /** `null` when no gossip hello came. */
  readonly subscribed_subnets: readonly number[] | null;
  readonly short_lived_subnets: readonly number[] | null;
  readonly subscribed_syncnets: readonly number[];
  readonly data_column_topics: number;
  readonly observed_from: number | null;
  readonly observed_to: number | null;
  /** What was asked for and not obtained. */
  readonly missing: readonly Failure[];
  /** What was wrong with its record and with what it said; the rest of it counts all the same. */
  readonly problems: readonly Failure[];
}

export function probeReport(target: ProbeTarget, outcome: VisitOutcome<Observation>): ProbeReport {
  if (!outcome.ok) {
    const agent = outcome.value.agent ?? null;
    const problems = recordProblems(target);
    return {
      ...blank(target),
      problems,
      failure: outcome.value.failure,
      client: clientOf(agent ?? ''),
      client_version: agent,
    };
  }
  const { value } = outcome;
  const { status, metaData } = value;
  const longLived = metaData === null ? attnetsOf(target) : setBits(metaData.attnets);
  return {
    ...blank(target),
    observed: true,
    client: clientOf(value.agent ?? ''),
    client_version: value.agent,
    multiaddr: value.address,
    transport: value.transport,
    direction: value.direction,
    status: status && {
      fork_digest: status.forkDigest,
      finalized_epoch: status.finalizedEpoch,
      finalized_root: status.finalizedRoot,
      head_slot: status.headSlot,
      head_root: status.headRoot,
      earliest_available_slot: status.earliestAvailableSlot,
    },
    metadata: metaData && {
      seq_number: metaData.seqNumber,
      attnets: setBits(metaData.attnets),
      syncnets: setBits(metaData.syncnets),
      custody_group_count: metaData.custodyGroupCount,
    },
    subscribed_subnets: value.subscribedSubnets,
    short_lived_subnets:
      value.subscribedSubnets === null || longLived === null
        ? null
        : shortLivedSubnets(value.subscribedSubnets, longLived),
    subscribed_syncnets: value.subscribedSyncnets,
    data_column_topics: value.dataColumns,
    observed_from: value.observedFromMs,
    observed_to: value.observedToMs,
    missing: value.missing,
    problems: [...recordProblems(target), ...value.problems],
  };
}

function recordProblems({ enr }: ProbeTarget): readonly Failure[] {
  const decoded = enr === null ? null : decodeNodeRecord(enr);
  const problem = decoded?.ok ? malformation(decoded.value) : null;
  return problem === null ? [] : [problem];
}

function attnetsOf({ enr }: ProbeTarget): readonly number[] | null {
  const decoded = enr === null ? null : decodeNodeRecord(enr);
  return decoded?.ok ? decoded.value.attnets : null;
}

function blank({ peerId, enr }: ProbeTarget): ProbeReport {
  return {
    observed: false,
    peer_id: peerId,
    enr,
    failure: null,
    client: 'unknown',
    client_version: null,
    multiaddr: null,
    transport: null,
    direction: null,
    status: null,
    metadata: null,
    subscribed_subnets: null,
    short_lived_subnets: null,
    subscribed_syncnets: [],
    data_column_topics: 0,
    observed_from: null,
    observed_to: null,
    missing: [],
    problems: [],
  };
}

const LABEL_WIDTH = 14;

/** The report as a page for people. */
export function renderProbeReport(report: ProbeReport): string {
  const { status, metadata, failure } = report;
  const rows: [string, string][] = [
    ['peer', report.peer_id],
    ['observed', report.observed ? `yes, over ${report.transport} at ${report.multiaddr}` : 'no'],
  ];
  if (failure !== null) rows.push(['failed at', failureText(failure)]);
  rows.push(['client', report.client_version === null ? 'not said' : `${report.client} (${report.client_version})`]);
  if (status !== null) {
    rows.push(
      ['fork digest', status.fork_digest],
      ['finalized', `epoch ${status.finalized_epoch}`],
      ['head', `slot ${status.head_slot}`],
    );
  }
  if (metadata !== null) {
    rows.push(
      ['metadata', `number ${metadata.seq_number}, custody groups ${metadata.custody_group_count ?? 'not said'}`],
      ['long-lived', listed(metadata.attnets)],
      ['sync', listed(metadata.syncnets)],
    );
  }
  if (report.observed) {
    rows.push(
      ['subscribed', report.subscribed_subnets === null ? 'no gossip hello came' : listed(report.subscribed_subnets)],
      ['short-lived', report.short_lived_subnets === null ? 'unknown' : listed(report.short_lived_subnets)],
      ['data columns', `${report.data_column_topics} topics`],
      ['watched for', `${(report.observed_to ?? 0) - (report.observed_from ?? 0)} ms`],
    );
  }
  for (const missing of report.missing) rows.push(['missing', failureText(missing)]);
  for (const problem of report.problems) rows.push(['problem', failureText(problem)]);
  return rows.map(([label, value]) => `${label.padEnd(LABEL_WIDTH)}${value}`).join('\n');
}

function failureText({ stage, cause, detail }: Failure): string {
  return `${stage}: ${cause.replaceAll('_', ' ')}${detail === undefined ? '' : ` (${detail})`}`;
}

function listed(subnets: readonly number[]): string {
  return subnets.length === 0 ? 'none' : subnets.join(' ');
}
