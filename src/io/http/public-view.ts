import type { ValidatorRecord } from '../storage/tracker/view-reader.ts';
import type { Pseudonym } from './pseudonym.ts';

/**
 * What anyone may know of a peer. A column that is not named here stays private, so that a new one does until somebody
 * decides. Not here: addresses, the ENR, and the long-lived subnets, which follow from the node id and so identify it.
 */
const PUBLIC_COLUMNS = [
  'last_seen',
  'last_epoch',
  'client_version',
  'possible_validator',
  'max_validator_count',
  'num_observations',
  'city',
  'region',
  'country',
  'latitude',
  'longitude',
  'asn',
  'asn_organization',
  'asn_type',
  'validators_estimate',
  'validators_low',
  'validators_high',
  'stake_eth_low',
  'stake_eth_high',
  'estimate_method',
  'estimate_flags',
  'estimate_observations',
  'estimate_from_ms',
  'estimate_to_ms',
  'first_seen',
  'custody_group_count',
  'fork_digest',
  'direction',
  'transport',
] as const;

/** The columns that {@link publicRecord} gives, in their order. */
export const PUBLIC_RECORD_COLUMNS = ['peer_id', ...PUBLIC_COLUMNS] as const;

/** The public side of a record: pseudonym instead of peer id, coordinates to about ten kilometres. */
export function publicRecord(record: ValidatorRecord, pseudonym: Pseudonym): ValidatorRecord {
  const result: Record<string, unknown> & { peer_id: string } = { peer_id: pseudonym(record.peer_id) };
  for (const column of PUBLIC_COLUMNS) result[column] = record[column] ?? null;
  result['latitude'] = toOneDecimal(record['latitude']);
  result['longitude'] = toOneDecimal(record['longitude']);
  return result;
}

function toOneDecimal(degrees: unknown): number | null {
  return typeof degrees === 'number' ? Math.round(degrees * 10) / 10 : null;
}
