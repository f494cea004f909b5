import type { ChaosEvent } from '../support/events.ts';

/** What the program must store of an event and of a peer, by arithmetic of the harness' own. */

const INTEGERS = ['timestamp', 'slot', 'observed_from', 'observed_to', 'custody_group_count'] as const;
const DISCOVERY_COLUMNS = ['enr', 'id', 'ip', 'port', 'crawler_id', 'crawler_location', 'fork_digest'] as const;
const METADATA_COLUMNS = [
  'enr',
  'id',
  'multiaddr',
  'epoch',
  'client_version',
  'crawler_id',
  'crawler_location',
  'fork_digest',
  'direction',
  'transport',
] as const;

/** A row as DuckDB's JSON shows it: integers of 64 bits are texts. */
export type Row = Readonly<Record<string, unknown>>;

/** The row of the event's first table, without its `event_id`. */
export function expectedRow({ subject, wire, attnetsHex, syncnetsHex }: ChaosEvent): Row {
  const columns = subject === 'events.peer_discovered' ? DISCOVERY_COLUMNS : METADATA_COLUMNS;
  const row: Record<string, unknown> = Object.fromEntries(columns.map((column) => [column, wire[column] ?? null]));
  for (const column of INTEGERS) row[column] = textOf(wire[column]);
  if (subject === 'events.peer_discovered') return row;
  const seqNumber = (wire['metadata'] as { seq_number: number } | null)?.seq_number;
  row['metadata'] =
    seqNumber === undefined ? null : { seq_number: textOf(seqNumber), attnets: attnetsHex, syncnets: syncnetsHex };
  row['subscribed_subnets'] = subscribed(wire).map(String);
  return row;
}

/** Subscribed attestation subnets that exist, repeats included. */
function subscribed(wire: ChaosEvent['wire']): number[] {
  const all = (wire['subscribed_subnets'] ?? []) as number[];
  return all.filter((subnet) => subnet >= 0 && subnet <= 63);
}

/** Distinct subscribed subnets that are not long-lived, ascending; `null` when no metadata tells which those are. */
export function shortLived({ wire, longLived }: ChaosEvent): number[] | null {
  if (longLived === null) return null;
  return [...new Set(subscribed(wire))].filter((subnet) => !longLived.includes(subnet)).sort((a, b) => a - b);
}

/** Rows of `validator_tracker`, by peer id, for these events; the order in which they came does not matter. */
export function expectedPeers(events: Iterable<ChaosEvent>): Map<string, Row> {
  const observations = [...events].filter(({ subject }) => subject === 'events.metadata_received');
  const byPeer = Map.groupBy(observations, ({ wire }) => String(wire['id']));
  return new Map([...byPeer].map(([id, all]) => [id, expectedPeer(id, all)]));
}

function expectedPeer(id: string, observations: readonly ChaosEvent[]): Row {
  const newestFirst = observations.toSorted((a, b) => timeOf(b) - timeOf(a));
  /** Of the newest observation that says something. */
  const latest = (column: string, silent: readonly unknown[] = []) => {
    const said = newestFirst.find(({ wire }) => ![null, undefined, '', ...silent].includes(wire[column] as null));
    return said?.wire[column] ?? null;
  };
  const multiaddr = latest('multiaddr') as string;
  const [, , ip = '', , port = ''] = multiaddr.split('/');
  const withMetadata = newestFirst.find(({ longLived }) => longLived !== null);
  const most = Math.max(0, ...observations.map((event) => shortLived(event)?.length ?? 0));
  return {
    peer_id: id,
    num_observations: observations.length,
    max_validator_count: most,
    possible_validator: most > 0 ? 1 : 0,
    last_seen: timeOf(newestFirst[0] as ChaosEvent),
    first_seen: timeOf(newestFirst.at(-1) as ChaosEvent),
    last_epoch: latest('epoch'),
    enr: latest('enr', ['enr:']),
    multiaddr,
    ip,
    port: Number(port),
    client_version: latest('client_version', ['unknown']),
    custody_group_count: latest('custody_group_count'),
    fork_digest: latest('fork_digest'),
    direction: latest('direction'),
    transport: latest('transport'),
    long_lived_subnets: withMetadata === undefined ? null : JSON.stringify(withMetadata.longLived),
    short_lived_subnets: withMetadata === undefined ? null : JSON.stringify(shortLived(withMetadata)),
  };
}

function timeOf({ wire }: ChaosEvent): number {
  return wire['timestamp'] as number;
}

function textOf(value: unknown): string | null {
  return value === null || value === undefined ? null : String(value);
}
