import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';

/** What nodes hold against their peers, as the devnet tells it: in memory, and a line each in `DIR/penalties.ndjson`. */

export interface Penalty {
  readonly at_ms: number;
  /** The node that judges. */
  readonly node: string;
  readonly client: string;
  /** The peer that is judged. */
  readonly peer_id: string;
  /** Such as `status fin-in-negotiation`; 0 points for what ends a connection and is held against nobody. */
  readonly event: string;
  /** In the client's own counting: Prysm counts bad responses upwards, all others downwards. */
  readonly points: number;
  /** The peer's score after it. */
  readonly score: number;
  /** Whether the node has nothing to do with the peer from now on. */
  readonly banned: boolean;
}

export interface PenaltyBook {
  readonly penalties: readonly Penalty[];
  note(penalty: Penalty): void;
  close(): Promise<void>;
}

/** Beyond that only the file has them. */
const MAX_KEPT = 100_000;

export function openPenaltyBook(path: string): PenaltyBook {
  const file = createWriteStream(path, { flags: 'w' });
  const penalties: Penalty[] = [];
  return {
    penalties,
    note: (penalty) => {
      if (penalties.length < MAX_KEPT) penalties.push(penalty);
      file.write(`${JSON.stringify(penalty)}\n`);
    },
    close: () => new Promise((resolve) => file.end(() => resolve())),
  };
}

/** Reads what a devnet in another process has written so far. @throws what `readFile` throws */
export async function readPenalties(path: string): Promise<Penalty[]> {
  const lines = (await readFile(path, 'utf8')).split('\n');
  // The last line may be half written.
  return lines.slice(0, -1).map((line) => JSON.parse(line) as Penalty);
}

/** What one node has held against one peer. */
export interface Grudge {
  readonly node: string;
  readonly client: string;
  readonly peerId: string;
  /** Penalties of points other than 0, by event. */
  readonly reasons: Readonly<Record<string, number>>;
  /** The score that is worst in the client's own counting: the farthest from 0, from 300 for Nimbus. */
  readonly worstScore: number;
  /** When the node banned the peer for the first time. */
  readonly bannedAtMs: number | null;
}

/** Sums penalties up by node and peer. */
export function grudgesIn(penalties: readonly Penalty[]): Grudge[] {
  const byPair = Map.groupBy(penalties, ({ node, peer_id }) => `${node} ${peer_id}`);
  return [...byPair.values()].flatMap((entries) => {
    const [first] = entries;
    if (first === undefined) return [];
    const costly = entries.filter(({ points }) => points !== 0);
    const reasons = Object.fromEntries(
      [...Map.groupBy(costly, ({ event }) => event)].map(([event, all]) => [event, all.length]),
    );
    const worst = (first.client === 'Prysm' ? Math.max : Math.min)(...entries.map(({ score }) => score));
    const bannedAtMs = entries.find(({ banned }) => banned)?.at_ms ?? null;
    return [{ node: first.node, client: first.client, peerId: first.peer_id, reasons, worstScore: worst, bannedAtMs }];
  });
}
