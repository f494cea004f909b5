import { clientOf } from '../consensus/client.ts';
import type { DevnetNode } from '../io/network-file.ts';
import type { SqliteDatabase } from '../io/sqlite.ts';
import type { Snapshot } from './progress.ts';
import { clockText, count, table } from './texts.ts';

/** A peer of the stored view, as far as the summary needs it. */
export interface SummaryPeer {
  readonly peerId: string;
  readonly clientVersion: string;
  readonly observations: number;
  readonly publishedCount: number;
}

/** The peers of the view, for the summary. */
export function summaryPeers(database: SqliteDatabase): Promise<SummaryPeer[]> {
  return database.all<SummaryPeer>(
    `SELECT peer_id AS peerId, coalesce(client_version, '') AS clientVersion, num_observations AS observations,
            max_validator_count AS publishedCount FROM validator_tracker`,
  );
}

/** What the program says at its end. */
export function renderSummary(
  snapshot: Snapshot,
  peers: readonly SummaryPeer[] | null,
  truth: readonly DevnetNode[] | null,
): string {
  const { crawl, forwarded } = snapshot;
  return [
    `valtrack stopped after ${clockText(snapshot.upMs)} on ${snapshot.network}.`,
    ...(crawl === null ? [] : crawlLines(crawl.stats)),
    ...(forwarded === null ? [] : [`${count(forwarded)} events were published to NATS.`]),
    ...(peers === null ? [] : clientTable(peers)),
    ...(peers === null || truth === null ? [] : truthLines(peers, truth)),
  ].join('\n');
}

function crawlLines({ observed, failed, failures, peers }: NonNullable<Snapshot['crawl']>['stats']): string[] {
  const kinds = failures.map(
    ({ stage, cause, client, count: times }) => `  ${stage} ${cause} (${client}): ${count(times)}`,
  );
  return [
    `${count(peers.known)} peers are known; ${count(observed)} observations were made, ${count(failed)} visits failed.`,
    ...kinds.slice(0, 8),
  ];
}

function clientTable(peers: readonly SummaryPeer[]): string[] {
  const clients = new Map<string, { nodes: number; observations: number; published: number }>();
  for (const peer of peers) {
    const client = clientOf(peer.clientVersion);
    const line = clients.get(client) ?? { nodes: 0, observations: 0, published: 0 };
    line.nodes++;
    line.observations += peer.observations;
    line.published += peer.publishedCount;
    clients.set(client, line);
  }
  const rows = [...clients]
    .sort(([, a], [, b]) => b.nodes - a.nodes)
    .map(([client, { nodes, observations, published }]) => [
      client,
      count(nodes),
      count(observations),
      count(published),
    ]);
  return ['', ...table(['client', 'nodes', 'observations', 'published count'], rows)];
}

/** How far the published rule is from what the devnet knows to be true. */
function truthLines(peers: readonly SummaryPeer[], truth: readonly DevnetNode[]): string[] {
  const seen = new Map(peers.map((peer) => [peer.peerId, peer]));
  const met = truth.filter((node) => seen.has(node.peer_id));
  const observations = met.reduce((sum, node) => sum + (seen.get(node.peer_id)?.observations ?? 0), 0);
  const validators = truth.reduce((sum, node) => sum + node.validators, 0);
  const published = met.reduce((sum, node) => sum + (seen.get(node.peer_id)?.publishedCount ?? 0), 0);
  const share = validators === 0 ? '' : ` (${((100 * published) / validators).toFixed(1)} %)`;
  const often = met.length === 0 ? '' : `, each ${(observations / met.length).toFixed(1)} times on average`;
  return [
    '',
    `Against the devnet's truth: ${met.length} of ${truth.length} nodes observed${often}.`,
    `The published rule counts ${count(published)} of ${count(validators)} validators${share}:`,
    'it is the largest number of short-lived subnets in one look, not a number of validators.',
  ];
}
