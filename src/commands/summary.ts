import { clientOf } from '../consensus/client.ts';
import { clockText, count } from '../io/logging/texts.ts';
import type { DevnetNode } from '../io/networks/network-file.ts';
import type { Figures } from '../io/storage/tracker/figures.ts';
import type { StoredSummary } from '../programs/consumer/storing.ts';
import type { StoredPeer } from '../programs/consumer/totals.ts';
import type { Snapshot } from './progress.ts';
import { table } from './texts.ts';

/** Kinds of failures, the most frequent first. */
const KINDS_SHOWN = 8;

/** From so many looks at a node on, its estimate has no flag `few-observations`. */
const FEW = 10;

/** What the program says at its end. */
export function renderSummary(
  snapshot: Snapshot,
  view: StoredSummary | null,
  truth: readonly DevnetNode[] | null,
): string {
  const { crawl, forwarded } = snapshot;
  return [
    `valtrack stopped after ${clockText(snapshot.upMs)} on ${snapshot.network}.`,
    ...(crawl === null ? [] : crawlLines(crawl.stats)),
    ...(forwarded === null ? [] : [`${count(forwarded)} events were published to NATS.`]),
    ...(view === null || view.peers.length === 0 ? [] : [...clientTable(view.peers), ...figuresLines(view.figures)]),
    ...(view === null || truth === null ? [] : truthLines(view, truth)),
  ].join('\n');
}

function crawlLines({ observed, failed, failures, peers }: NonNullable<Snapshot['crawl']>['stats']): string[] {
  const kinds = failures.map(
    ({ stage, cause, client, count: times }) => `  ${stage} ${cause} (${client}): ${count(times)}`,
  );
  const all = failures.reduce((sum, { count: times }) => sum + times, 0);
  const others = failures.slice(KINDS_SHOWN).reduce((sum, { count: times }) => sum + times, 0);
  return [
    `${count(peers.known)} peers are known; ${count(observed)} observations were made, ${count(failed)} visits failed.`,
    ...(all === 0 ? [] : [`What went wrong with visits, parts of visits and records, ${count(all)} times:`]),
    ...kinds.slice(0, KINDS_SHOWN),
    ...(others === 0 ? [] : [`  of ${count(kinds.length - KINDS_SHOWN)} other kinds: ${count(others)}`]),
  ];
}

function clientTable(peers: readonly StoredPeer[]): string[] {
  const clients = new Map<string, { nodes: number; observations: number; published: number; estimate: number }>();
  for (const peer of peers) {
    const client = clientOf(peer.clientVersion);
    const line = clients.get(client) ?? { nodes: 0, observations: 0, published: 0, estimate: 0 };
    line.nodes++;
    line.observations += peer.observations;
    line.published += peer.publishedCount;
    line.estimate += peer.estimate ?? 0;
    clients.set(client, line);
  }
  const rows = [...clients]
    .sort(([, a], [, b]) => b.nodes - a.nodes)
    .map(([client, { nodes, observations, published, estimate }]) => [
      client,
      count(nodes),
      count(observations),
      count(published),
      count(Math.round(estimate)),
    ]);
  return ['', ...table(['client', 'nodes', 'observations', 'published count', 'estimate'], rows)];
}

function figuresLines({ validators, validators_low, validators_high, published }: Figures): string[] {
  const high = validators_high === null ? 'no upper bound yet' : `at most ${count(Math.round(validators_high))}`;
  return [
    '',
    `Validators behind them: about ${count(Math.round(validators))}; with 90 % confidence at least ${count(Math.round(validators_low))}, ${high}.`,
    `The published rule, the most short-lived subnets in one look, makes them ${count(published)}.`,
  ];
}

/** How far the estimate and the published rule are from what the devnet knows to be true. */
function truthLines({ peers, figures }: StoredSummary, truth: readonly DevnetNode[]): string[] {
  const seen = new Map(peers.map((peer) => [peer.peerId, peer]));
  const met = truth.filter((node) => seen.has(node.peer_id));
  const observations = met.reduce((sum, node) => sum + (seen.get(node.peer_id)?.observations ?? 0), 0);
  const validators = truth.reduce((sum, node) => sum + node.validators, 0);
  const shareOf = (part: number) => (validators === 0 ? '' : `${((100 * part) / validators).toFixed(1)} %`);
  const often = met.length === 0 ? '' : `, each ${(observations / met.length).toFixed(1)} times on average`;
  const rows = [
    ['truth', count(validators), ''],
    ['estimate', count(Math.round(figures.validators)), shareOf(figures.validators)],
    ['published rule', count(figures.published), shareOf(figures.published)],
  ];
  return [
    '',
    `Against the devnet's truth: ${met.length} of ${truth.length} nodes observed${often}.`,
    ...table(['', 'validators', 'of the truth'], rows),
    ...(met.length > 0 && observations < FEW * met.length
      ? ['Estimates need some ten looks at each node; let it run on.']
      : []),
  ];
}
