import { METADATA_RECEIVED, PEER_DISCOVERED, type Subject } from '../../consensus/events.ts';

/** Which event an object is, by the fields that only one of them has. */
export function subjectOf(event: object): Subject {
  return 'ip' in event && !('multiaddr' in event) && !('metadata' in event) ? PEER_DISCOVERED : METADATA_RECEIVED;
}

const INTEGERS = ['epoch', 'port', 'timestamp', 'slot', 'observed_from', 'observed_to', 'custody_group_count'];
const JSON_FIELDS = ['metadata', 'subscribed_subnets'];
/** Columns that follow from others. */
const DERIVED = ['long_lived_subnets'];
/** `validator_metadata_events` has the metadata in columns of its own. */
const METADATA_FIELDS = ['seq_number', 'attnets', 'syncnets'] as const;

/**
 * A wire event from a CSV record, whose values are all texts.
 * @throws SyntaxError when a JSON column is not JSON.
 */
export function eventFromTexts(fields: Readonly<Record<string, string>>): object {
  const event: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (value === '' && !isRequiredText(name)) continue;
    if (INTEGERS.includes(name) || name === 'seq_number') event[name] = Number(value);
    else event[name] = JSON_FIELDS.includes(name) ? (JSON.parse(value) as unknown) : value;
  }
  return withMetadata(event);
}

/** A wire event from a row of one of the Parquet tables. */
export function eventFromRow(row: Readonly<Record<string, unknown>>): object {
  const event: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(row)) event[name] = plain(value);
  return withMetadata(event);
}

function isRequiredText(name: string): boolean {
  return ['enr', 'ip', 'crawler_id', 'crawler_location', 'client_version', 'multiaddr'].includes(name);
}

function withMetadata(event: Record<string, unknown>): object {
  for (const name of DERIVED) delete event[name];
  if (!('attnets' in event)) return event;
  const { seq_number, attnets, syncnets, ...rest } = event as Record<(typeof METADATA_FIELDS)[number], unknown>;
  return { ...rest, metadata: { seq_number, attnets, syncnets } };
}

/** 64-bit integers become numbers, and three-level lists become arrays. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (typeof value !== 'object' || value === null) return value;
  if (isList(value)) return value.list.map(({ element }) => plain(element));
  const entries = Object.entries(value);
  // The reader leaves an empty list without its inner level.
  if (entries.length === 0) return [];
  return Object.fromEntries(entries.map(([name, inner]) => [name, plain(inner)]));
}

function isList(value: object): value is { list: { element: unknown }[] } {
  return 'list' in value && Array.isArray(value.list);
}
