import type { Location } from '../../../streams/ports/geo-locator.ts';
import type { LocatedIp, LocationStore } from '../../../streams/ports/location-store.ts';
import type { SqliteDatabase } from '../sqlite/sqlite.ts';
import type { TrackerDatabase } from './database.ts';
import { PLACE_COLUMNS } from './locations-schema.ts';

const COLUMNS = ['ip', ...PLACE_COLUMNS, 'sources', 'data_version', 'located_ms', 'expires_ms'] as const;
type LocationRow = Readonly<Record<(typeof COLUMNS)[number], string | number | null>>;

const UPSERT = `
  INSERT INTO locations (${COLUMNS.join(', ')})
  SELECT ${COLUMNS.map((column) => `value ->> '${column}'`).join(', ')} FROM json_each(?) WHERE true
  ON CONFLICT (ip) DO UPDATE SET ${COLUMNS.slice(1)
    .map((column) => `${column} = excluded.${column}`)
    .join(', ')}`;

/** Locations in the file of the view. Reading never waits for the reducer; each save is one short transaction. */
export function sqliteLocationStore({ writer, reader }: Pick<TrackerDatabase, 'writer' | 'reader'>): LocationStore {
  return {
    async due(validVersions, nowMs, limit) {
      const rows = await reader.all<{ ip: string }>(
        `SELECT peers.ip FROM (SELECT DISTINCT ip FROM validator_tracker WHERE ip IS NOT NULL) AS peers
           LEFT JOIN locations ON locations.ip = peers.ip
           WHERE locations.ip IS NULL OR expires_ms <= ?
             OR data_version NOT IN (SELECT value FROM json_each(?))
           ORDER BY located_ms, peers.ip LIMIT ?`,
        nowMs,
        JSON.stringify(validVersions),
        limit,
      );
      return rows.map((row) => row.ip);
    },

    save: (located, nowMs) =>
      writer.transaction(async () => {
        const earlier = await earlierRows(writer, located);
        await writer.run(UPSERT, JSON.stringify(located.map((one) => rowOf(one, nowMs, earlier.get(one.ip)))));
      }),

    prune: () =>
      writer.transaction(async () => {
        const { changes } = await writer.run(
          'DELETE FROM locations WHERE NOT EXISTS (SELECT 1 FROM validator_tracker WHERE ip = locations.ip)',
        );
        return changes;
      }),
  };
}

/** What was known of addresses of which a source could not be asked now. */
async function earlierRows(
  database: SqliteDatabase,
  located: readonly LocatedIp[],
): Promise<ReadonlyMap<string, LocationRow>> {
  const ips = located.filter(({ provisional }) => provisional.length > 0).map(({ ip }) => ip);
  if (ips.length === 0) return new Map();
  const rows = await database.all<LocationRow & { ip: string }>(
    'SELECT * FROM locations WHERE ip IN (SELECT value FROM json_each(?))',
    JSON.stringify(ips),
  );
  return new Map(rows.map((row) => [row.ip, row]));
}

function rowOf(located: LocatedIp, nowMs: number, earlier: LocationRow | undefined): LocationRow {
  const { ip, location, sources, provisional, version, maxAgeMs } = located;
  const kept = provisional.filter((part) => earlier !== undefined && earlier[SIGN_OF[part]] !== null);
  const columns = { ...placeColumns(location), ...networkColumns(location), hostname: location.hostname };
  const keptColumns = kept.flatMap((part) => COLUMNS_OF[part].map((column) => [column, earlier?.[column] ?? null]));
  return {
    ip,
    ...columns,
    ...(Object.fromEntries(keptColumns) as Partial<LocationRow>),
    sources: kept.length === 0 ? sources.join(',') : (earlier?.sources ?? ''),
    data_version: version,
    located_ms: nowMs,
    expires_ms: maxAgeMs === null ? null : nowMs + maxAgeMs,
  };
}

/** Which columns a part has, and the one that is there when the part is. */
const COLUMNS_OF = {
  place: ['city', 'region', 'country', 'latitude', 'longitude', 'postal_code'],
  network: ['asn', 'asn_organization', 'asn_type'],
  hostname: ['hostname'],
} as const satisfies Record<keyof Location, readonly (typeof PLACE_COLUMNS)[number][]>;
const SIGN_OF = { place: 'country', network: 'asn', hostname: 'hostname' } as const;

function placeColumns({ place }: Location) {
  return {
    city: place?.city ?? null,
    region: place?.region ?? null,
    country: place?.country ?? null,
    latitude: place?.latitude ?? null,
    longitude: place?.longitude ?? null,
    postal_code: place?.postalCode ?? null,
  };
}

function networkColumns({ network }: Location) {
  return {
    asn: network === null ? null : `AS${network.asn}`,
    asn_organization: network?.organization ?? null,
    asn_type: network?.type ?? null,
  };
}
