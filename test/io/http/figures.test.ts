import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { apiKeysFrom } from '../../../src/io/http/api-keys.ts';
import { createApp } from '../../../src/io/http/app.ts';
import type { GeolocationStatus } from '../../../src/io/http/geolocation.ts';
import { createLogger } from '../../../src/io/logging/logger.ts';
import { openTracker, type TrackerDatabase } from '../../../src/io/storage/tracker/database.ts';
import { networkFigures } from '../../../src/io/storage/tracker/network-figures.ts';
import { viewReader } from '../../../src/io/storage/tracker/view-reader.ts';
import { NO_VITALS } from '../../support/http/vitals.ts';
import { tempDir } from '../../support/temp-dir.ts';

const DAY_MS = 86_400_000;
const NEWEST_MS = 20_000 * DAY_MS;
const NETWORK = { genesisTimeMs: 0, slotMs: 12_000, slotsPerEpoch: 32, activeValidators: 1_000 };

const GEOLOCATION: GeolocationStatus = {
  sources: ['embedded'],
  attributions: [{ text: 'IP geolocation by DB-IP', url: 'https://db-ip.com' }],
  problems: () => ['ipinfo: the quota is used up'],
};

let folder: Awaited<ReturnType<typeof tempDir>>;
let tracker: TrackerDatabase;
let app: ReturnType<typeof createApp>;

beforeAll(async () => {
  folder = await tempDir();
  tracker = await openTracker(folder.path);
  const keys = join(folder.path, 'keys.txt');
  await writeFile(keys, 'secret-key\n');
  app = createApp({
    view: viewReader(tracker.reader),
    figures: networkFigures(tracker.reader, NETWORK),
    isApiKey: apiKeysFrom(keys),
    pseudonym: (peerId) => `pseudonym of ${peerId}`,
    geolocation: GEOLOCATION,
    vitals: NO_VITALS,
    logger: createLogger({ level: 'silent', format: 'json', write: () => {} }),
  });
  // Four nodes in Germany, one of them unbounded, one in France, and one in Germany that left two days before.
  await tracker.writer.run(
    `INSERT INTO validator_tracker (peer_id, last_seen, first_seen, possible_validator, max_validator_count, num_observations,
         country, client_version, validators_estimate, validators_low, validators_high, stake_eth_low, stake_eth_high)
       SELECT value ->> 0, value ->> 1, 5, 1, 2, 3, value ->> 2, 'teku/teku/v25', 100, 90, value ->> 3, 2880, 3500
         FROM json_each(?)`,
    JSON.stringify([
      ['a', NEWEST_MS, 'DE', 120],
      ['b', NEWEST_MS - 1, 'DE', 120],
      ['c', NEWEST_MS - 2, 'DE', 120],
      ['d', NEWEST_MS - 3, 'DE', null],
      ['e', NEWEST_MS - 4, 'FR', 120],
      ['f', NEWEST_MS - 2 * DAY_MS, 'DE', 120],
    ]),
  );
});

afterAll(async () => {
  await tracker.close();
  await folder.remove();
});

async function get(path: string, headers: Record<string, string> = {}) {
  const response = await app.request(path, { headers });
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as Record<string, unknown>,
  };
}
const KEYED = { 'X-API-Key': 'secret-key' };

describe('GET /api/v1/network', () => {
  it('tells of the newest day, against the active validators', async () => {
    const { status, body, headers } = await get('/api/v1/network');
    expect(status).toBe(200);
    expect(headers.get('vary')).toMatch(/X-API-Key/);
    expect(body).toMatchObject({
      from: NEWEST_MS - DAY_MS,
      to: NEWEST_MS,
      active_validators: 1_000,
      nodes: 5,
      validators: 500,
      share_of_active: 0.5,
      // Nothing bounds one node, but there are no more validators than active ones.
      validators_high: 1_000,
      published: 10,
    });
  });

  it('takes from and to', async () => {
    const { body } = await get(`/api/v1/network?to=${NEWEST_MS - DAY_MS}`);
    expect(body).toMatchObject({ from: 0, to: NEWEST_MS - DAY_MS, nodes: 1, validators: 100, validators_high: 120 });
  });
});

describe('GET /api/v1/aggregates', () => {
  it('shows the holder of a key every cell', async () => {
    const { body } = await get('/api/v1/aggregates?by=country', KEYED);
    expect(body['cells']).toMatchObject([
      { key: 'DE', nodes: 4, validators: 400, validators_high: null },
      { key: 'FR', nodes: 1, validators: 100, validators_high: 120 },
    ]);
  });

  it('shows the public no cell of fewer than three nodes', async () => {
    const { body } = await get('/api/v1/aggregates?by=country');
    expect(body['cells']).toMatchObject([{ key: 'other', nodes: 5, validators: 500 }]);
    const clients = await get('/api/v1/aggregates?by=client');
    expect(clients.body['cells']).toMatchObject([{ key: 'Teku', nodes: 5 }]);
  });

  it.each(['', '?by=', '?by=ip', '?by=country;drop', '?by=Country'])(
    'refuses %j, and says what is allowed',
    async (query) => {
      const { status, body } = await get(`/api/v1/aggregates${query}`);
      expect(status).toBe(400);
      expect(body['error']).toMatch(/country, city, asn, asn_type, client/);
    },
  );
});

describe('every route of figures', () => {
  const paths = ['/api/v1/network', '/api/v1/aggregates?by=asn', '/api/v1/history', '/api/v1/calibration'];

  it.each(paths)('%s refuses a wrong key and a wrong range', async (path) => {
    expect((await get(path, { 'X-API-Key': 'guess' })).status).toBe(401);
    const query = path.includes('?') ? '&' : '?';
    expect((await get(`${path}${query}from=tomorrow`)).status).toBe(400);
    expect((await get(path)).status).toBe(200);
  });
});

interface Described {
  readonly paths: Record<string, { get: { responses: Record<string, unknown>; parameters?: { name: string }[] } }>;
  readonly components: { schemas: Record<string, Schema> };
}
interface Schema {
  readonly properties?: Record<string, Schema>;
  readonly required?: readonly string[];
  readonly items?: Schema;
}

describe('/api/v1/geolocation', () => {
  it('says where locations come from, whom to name, and what is wrong, and is no reason to be not ready', async () => {
    expect((await get('/api/v1/geolocation')).body).toEqual({ ...GEOLOCATION, problems: GEOLOCATION.problems() });
    expect((await get('/readyz')).body).toEqual({ ready: true, reasons: [] });
  });

  it('is named wherever places are summed up', async () => {
    for (const by of ['country', 'city', 'asn', 'asn_type']) {
      expect((await get(`/api/v1/aggregates?by=${by}`)).body).toHaveProperty('attributions', GEOLOCATION.attributions);
    }
    expect((await get('/api/v1/aggregates?by=client')).body).toHaveProperty('attributions', []);
  });
});

describe('/openapi.json', () => {
  const described = async () => (await get('/openapi.json')).body as unknown as Described;

  it('describes every route there is, and no other', async () => {
    const routes = app.routes.filter(({ method, path }) => method === 'GET' && path !== '/*').map(({ path }) => path);
    expect(Object.keys((await described()).paths).sort()).toEqual([...new Set(routes)].sort());
  });

  /** Names of all properties, with those of nested objects and of the items of lists. */
  const namesIn = (schema: Schema | undefined): string[] =>
    Object.entries(schema?.properties ?? {}).flatMap(([name, inner]) => [
      name,
      ...namesIn(inner.items ?? inner).map((below) => `${name}.${below}`),
    ]);
  const namesOf = (value: unknown): string[] => {
    if (Array.isArray(value)) return [...new Set(value.flatMap(namesOf))];
    if (typeof value !== 'object' || value === null) return [];
    return Object.entries(value).flatMap(([name, inner]) => [
      name,
      ...namesOf(inner).map((below) => `${name}.${below}`),
    ]);
  };

  it.each([
    ['Network', '/api/v1/network'],
    ['Aggregates', '/api/v1/aggregates?by=country'],
    ['Geolocation', '/api/v1/geolocation'],
  ])('describes what %s has', async (name, path) => {
    await tracker.writer.run(
      `INSERT OR IGNORE INTO validator_estimates (peer_id, method, observations, updated_at) VALUES ('a', 'custody', 0, 1)`,
    );
    const { components } = await described();
    expect(namesIn(components.schemas[name]).sort()).toEqual(namesOf((await get(path)).body).sort());
  });

  it('describes the columns of a peer: all that the public gets, and all that the table has', async () => {
    const { Peer } = (await described()).components.schemas;
    const [anyone] = (await get('/validators')).body as unknown as Record<string, unknown>[];
    const [holder] = (await get('/validators', KEYED)).body as unknown as Record<string, unknown>[];
    expect([...(Peer?.required ?? [])].sort()).toEqual(Object.keys(anyone ?? {}).sort());
    expect(Object.keys(Peer?.properties ?? {}).sort()).toEqual(Object.keys(holder ?? {}).sort());
  });
});
