import { appendFile, chmod, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { apiKeysFrom } from '../../../src/io/http/api-keys.ts';
import { createApp } from '../../../src/io/http/app.ts';
import { PseudonymKeyError, pseudonymFrom } from '../../../src/io/http/pseudonym.ts';
import { createLogger } from '../../../src/io/logging/logger.ts';
import { openTracker, type TrackerDatabase } from '../../../src/io/storage/tracker/database.ts';
import { networkFigures } from '../../../src/io/storage/tracker/network-figures.ts';
import { viewReader } from '../../../src/io/storage/tracker/view-reader.ts';
import { NO_GEOLOCATION } from '../../support/http/geolocation.ts';
import { NO_VITALS } from '../../support/http/vitals.ts';
import { tempDir } from '../../support/temp-dir.ts';

const PRIVATE_COLUMNS = ['enr', 'multiaddr', 'ip', 'port', 'hostname', 'postal_code', 'long_lived_subnets'];
const PEERS = 700;
const logger = createLogger({ level: 'silent', format: 'json', write: () => {} });

let folder: Awaited<ReturnType<typeof tempDir>>;
let tracker: TrackerDatabase;
let app: ReturnType<typeof createApp>;
let keysFile: string;
const reasons: (string | null)[] = [null, null];

beforeAll(async () => {
  folder = await tempDir();
  keysFile = join(folder.path, 'api_keys.txt');
  tracker = await openTracker(folder.path);
  app = createApp({
    view: viewReader(tracker.reader),
    figures: networkFigures(tracker.reader, null),
    isApiKey: apiKeysFrom(keysFile),
    pseudonym: await pseudonymFrom(folder.path),
    geolocation: NO_GEOLOCATION,
    vitals: {
      checks: () => reasons.map((_, index) => ({ name: `${index}`, reason: async () => reasons[index] ?? null })),
      metrics: () => [],
    },
    logger,
  });
});

afterAll(async () => {
  await tracker.close();
  await folder.remove();
});

/** Peers `peer-0000`… last seen at 1000, 1001, …; every third one has a validator. */
async function fill(): Promise<void> {
  await tracker.writer.run(
    `INSERT OR IGNORE INTO validator_tracker (peer_id, enr, multiaddr, ip, port, last_seen, last_epoch, client_version,
         possible_validator, max_validator_count, num_observations, hostname, city, latitude, longitude, postal_code,
         first_seen, long_lived_subnets, short_lived_subnets)
       SELECT printf('peer-%04d', value), 'enr:-secret', '/ip4/9.8.7.6/tcp/9000', '9.8.7.6', 9000, 1000 + value, 7,
         'Teku', value % 3 = 0, value % 3, 1, 'host.example', 'Bern', 46.94809, -7.44744, 'SW1A 1AA', 5, '[3,4]', '[]'
       FROM json_each(?)`,
    JSON.stringify(Array.from({ length: PEERS }, (_, index) => index)),
  );
}

async function validators(query = '', headers: Record<string, string> = {}) {
  const response = await app.request(`/validators${query}`, { headers });
  return { status: response.status, response, records: (await response.json()) as Record<string, unknown>[] };
}

describe('GET /validators', () => {
  it('answers an empty array before there is anything', async () => {
    const { response, records } = await validators();
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toMatch(/^application\/json/);
    expect(records).toEqual([]);
  });

  it('shows the public neither addresses nor anything that identifies a node', async () => {
    await fill();
    const { records } = await validators();
    expect(records).toHaveLength(PEERS);
    for (const record of records) {
      for (const column of PRIVATE_COLUMNS) expect(record).not.toHaveProperty(column);
      expect(record['latitude']).toBe(46.9);
      expect(record['longitude']).toBe(-7.4);
      expect(record['city']).toBe('Bern');
      expect(record['peer_id']).toMatch(/^[0-9a-f]{32}$/);
    }
    const text = JSON.stringify(records);
    for (const secret of ['peer-', 'secret', '9.8.7.6', 'host.example', 'SW1A', '[3,4]']) {
      expect(text).not.toContain(secret);
    }
    expect(new Set(records.map((record) => record['peer_id'])).size).toBe(PEERS);
    expect(records.filter((record) => record['possible_validator'] === true)).toHaveLength(Math.ceil(PEERS / 3));
  });

  it('orders the public by pseudonym, so that the order does not follow the peer ids', async () => {
    const { records } = await validators();
    const names = records.map((record) => record['peer_id'] as string);
    expect(names).toEqual([...names].sort());
    const times = records.map((record) => record['last_seen'] as number);
    expect(times).not.toEqual([...times].sort((a, b) => a - b));
  });

  it('gives the holder of a key every column of the table', async () => {
    await writeFile(keysFile, '# staff\n\n  first-key  \r\nsecond-key');
    const { status, records } = await validators('', { 'X-API-Key': 'first-key' });
    expect(status).toBe(200);
    expect(records).toHaveLength(PEERS);
    const columns = await tracker.reader.all<{ name: string }>('PRAGMA table_info(validator_tracker)');
    expect(Object.keys(records[0] ?? {}).sort()).toEqual(columns.map(({ name }) => name).sort());
    expect(records[3]).toMatchObject({
      peer_id: 'peer-0003',
      ip: '9.8.7.6',
      latitude: 46.94809,
      possible_validator: true,
      long_lived_subnets: [3, 4],
      short_lived_subnets: [],
      asn: null,
    });
  });

  it('refuses a wrong key instead of showing public data', async () => {
    for (const key of ['wrong', '', '# staff', 'first-key,second-key', 'FIRST-KEY']) {
      const { status, records } = await validators('', { 'X-API-Key': key });
      expect(status).toBe(401);
      expect(records).toHaveProperty('error');
    }
  });

  it('follows the key file: a key added works, a key removed does not, no file is no keys', async () => {
    await appendFile(keysFile, '\nthird-key\n');
    expect((await validators('', { 'X-API-Key': 'third-key' })).status).toBe(200);
    await writeFile(keysFile, 'second-key\n');
    expect((await validators('', { 'X-API-Key': 'third-key' })).status).toBe(401);
    expect((await validators('', { 'X-API-Key': 'second-key' })).status).toBe(200);
    await rm(keysFile);
    expect((await validators('', { 'X-API-Key': 'second-key' })).status).toBe(401);
    expect((await validators()).status).toBe(200);
  });

  it('filters last_seen with both ends included', async () => {
    const seen = async (query: string) =>
      (await validators(query)).records.map((record) => record['last_seen'] as number).sort((a, b) => a - b);
    expect(await seen('?from=1010&to=1012')).toEqual([1010, 1011, 1012]);
    expect(await seen(`?from=${1000 + PEERS - 1}`)).toEqual([1000 + PEERS - 1]);
    expect(await seen('?to=1000')).toEqual([1000]);
    expect(await seen('?from=5000')).toEqual([]);
  });

  it.each([
    '?from=yesterday',
    '?to=1.5',
    '?from=-1',
    '?from=',
    '?from=2&to=1',
    '?from=1&from=2',
    '?to=99999999999999999999',
  ])('refuses %s with a reason', async (query) => {
    const { status, records } = await validators(query);
    expect(status).toBe(400);
    expect(records).toEqual({ error: expect.stringMatching(/'(from|to)'/) });
  });

  it('turns a failing database into a 500 without telling its insides', async () => {
    const failing = createApp({
      view: {
        peerIds: async () => {
          throw new Error('/secret/path is gone');
        },
        records: async () => [],
      },
      figures: networkFigures(tracker.reader, null),
      isApiKey: async () => true,
      pseudonym: (id) => id,
      geolocation: NO_GEOLOCATION,
      vitals: NO_VITALS,
      logger,
    });
    const response = await failing.request('/validators');
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain('secret');
  });
});

describe('the other routes', () => {
  it('says whether the program is ready, and if not, why', async () => {
    expect(await (await app.request('/healthz')).json()).toEqual({ status: 'ok' });
    expect(await (await app.request('/readyz')).json()).toEqual({ ready: true, reasons: [] });
    reasons[1] = 'NATS is away';
    const response = await app.request('/readyz');
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({ ready: false, reasons: ['NATS is away'] });
    reasons[1] = null;
  });

  it('answers in JSON what does not exist and what is not allowed', async () => {
    const missing = await app.request('/nothing');
    expect(missing.status).toBe(404);
    expect(await missing.json()).toHaveProperty('error');
    const posted = await app.request('/validators', { method: 'POST' });
    expect(posted.status).toBe(405);
    expect(posted.headers.get('allow')).toBe('GET, HEAD');
    expect(await posted.json()).toHaveProperty('error');
  });

  it('sends security headers with every answer', async () => {
    for (const path of ['/validators', '/nothing']) {
      const { headers } = await app.request(path);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('x-frame-options')).toBe('DENY');
      expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
    }
  });
});

describe('the pseudonym key', () => {
  it('is made once, for its owner only, and gives the same names after a restart', async () => {
    const path = join(folder.path, 'pseudonym.key');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const before = await readFile(path, 'utf8');
    const [first, second] = await Promise.all([pseudonymFrom(folder.path), pseudonymFrom(folder.path)]);
    expect(first('a peer')).toBe(second('a peer'));
    expect(first('a peer')).not.toBe(first('another peer'));
    expect(await readFile(path, 'utf8')).toBe(before);
  });

  it('differs between data folders', async () => {
    const other = await tempDir();
    const [here, there] = [await pseudonymFrom(folder.path), await pseudonymFrom(other.path)];
    expect(here('a peer')).not.toBe(there('a peer'));
    await other.remove();
  });

  it('is one key even when two programs make it at the same moment', async () => {
    const other = await tempDir();
    const names = await Promise.all(Array.from({ length: 8 }, async () => (await pseudonymFrom(other.path))('a peer')));
    expect(new Set(names).size).toBe(1);
    await other.remove();
  });

  it('is not replaced when it is damaged', async () => {
    const other = await tempDir();
    await writeFile(join(other.path, 'pseudonym.key'), 'too short');
    await chmod(join(other.path, 'pseudonym.key'), 0o600);
    await expect(pseudonymFrom(other.path)).rejects.toThrow(PseudonymKeyError);
    await other.remove();
  });
});
