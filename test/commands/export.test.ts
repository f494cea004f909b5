import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, open, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXPORT_FORMATS } from '../../src/io/export/formats.ts';
import { openTracker, type TrackerDatabase } from '../../src/io/storage/tracker/database.ts';
import { inProcess } from '../support/commands/in-process.ts';
import { duckdb, duckdbTypes } from '../support/duckdb.ts';
import { CLI, valtrackDone } from '../support/e2e/valtrack.ts';
import { tempDir } from '../support/temp-dir.ts';

/** What strangers call themselves, by the number of the peer. */
const AGENTS = [
  'Lighthouse/v8.0.1',
  '=HYPERLINK("http://evil.example";"x")',
  '+1',
  '-1+1',
  '@SUM(1)',
  "'quoted",
  'a,b',
  'say "hi"',
  'two\r\nlines',
  '',
  null,
  'größer 漢字 🦀',
  '\tx',
  '＝1+1',
] as const;
/** More than one page. */
const PEERS = 611;

let folder: Awaited<ReturnType<typeof tempDir>>;
let dataDir: string;
let tracker: TrackerDatabase;
let columns: string[];

beforeAll(async () => {
  folder = await tempDir();
  dataDir = join(folder.path, 'data');
  tracker = await openTracker(dataDir);
  await fill(tracker, PEERS);
  columns = (await tracker.reader.all<{ name: string }>('PRAGMA table_info(validator_tracker)')).map(
    ({ name }) => name,
  );
});
afterAll(async () => {
  await tracker.close();
  await folder.remove();
});

/** Peers of every kind of value; every third has no coordinates. */
async function fill({ writer }: TrackerDatabase, peers: number): Promise<void> {
  const rows = Array.from({ length: peers }, (_, index) => [index, AGENTS[index % AGENTS.length]]);
  await writer.run(
    `INSERT INTO validator_tracker (peer_id, enr, multiaddr, ip, port, last_seen, client_version, possible_validator,
         max_validator_count, num_observations, city, country, latitude, longitude, postal_code, validators_estimate,
         validators_high, first_seen, long_lived_subnets, short_lived_subnets)
       SELECT printf('peer-%06d', value ->> 0), 'enr:-secret', '/ip4/9.8.7.6/tcp/9000', '9.8.7.6', 9000,
         1716910737176 + (value ->> 0), value ->> 1, (value ->> 0) % 2, (value ->> 0) % 64, 1, 'Sydney', 'AU',
         iif((value ->> 0) % 3 = 0, NULL, -33.87 - (value ->> 0) / 1e5), iif((value ->> 0) % 3 = 0, NULL, 151.21), 'SW1A', 0.1,
         NULL, 5, iif((value ->> 0) % 5 = 0, NULL, '[3,63]'), '[]' FROM json_each(?)`,
    JSON.stringify(rows),
  );
}

async function exported(format: string, ...more: string[]): Promise<string> {
  const out = join(folder.path, `${crypto.randomUUID()}.${format}`);
  const done = await inProcess('export', '--data-dir', dataDir, '--format', format, '--out', out, ...more);
  expect(done).toMatchObject({ code: 0, stderr: '' });
  return out;
}

interface Row extends Readonly<Record<string, unknown>> {
  readonly peer_id: string;
}

/** The table as SQLite has it, in the types that readers of the other formats give. */
async function stored(): Promise<Row[]> {
  const rows = await tracker.reader.all<Record<string, unknown>>('SELECT * FROM validator_tracker ORDER BY peer_id');
  return rows.map((row) => ({
    ...row,
    possible_validator: row['possible_validator'] === 1,
    long_lived_subnets: row['long_lived_subnets'] === null ? null : [3, 63],
    short_lived_subnets: [],
  })) as unknown as Row[];
}

const NUMBERS = [
  'latitude',
  'longitude',
  'last_seen',
  'port',
  'max_validator_count',
  'validators_estimate',
  'first_seen',
];

/** Figures as numbers, whatever width the reader gives them. */
function comparable(rows: readonly Row[]): unknown[] {
  return rows.map((row) => {
    const figures = NUMBERS.map((name) => [name, row[name] === null ? null : Number(row[name])]);
    const lists = ['long_lived_subnets', 'short_lived_subnets'].map((name) => [
      name,
      (row[name] as unknown[] | null)?.map(Number) ?? null,
    ]);
    const { peer_id, client_version, possible_validator, ip, enr, hostname, validators_high } = row;
    return {
      ...{ peer_id, client_version, possible_validator, ip, enr, hostname, validators_high },
      ...Object.fromEntries([...figures, ...lists]),
    };
  });
}

describe('export, read back by DuckDB', () => {
  it('as Parquet has every column in its type and every value', async () => {
    const from = `FROM read_parquet('${await exported('parquet')}')`;
    const types = await duckdbTypes(`SELECT * ${from}`);
    expect(Object.keys(types)).toEqual(columns);
    expect(types).toMatchObject({
      peer_id: 'VARCHAR',
      last_seen: 'BIGINT',
      latitude: 'DOUBLE',
      possible_validator: 'BOOLEAN',
      long_lived_subnets: 'BIGINT[]',
      validators_high: 'DOUBLE',
      country: 'VARCHAR',
    });
    const rows = (await duckdb(`SELECT * ${from} ORDER BY peer_id`)) as unknown as Row[];
    expect(comparable(rows)).toEqual(comparable(await stored()));
  });

  it.each(['json', 'ndjson'])('as %s has every value', async (format) => {
    const kind = format === 'json' ? 'array' : 'newline_delimited';
    const rows = await duckdb(`
      SELECT * REPLACE (long_lived_subnets::INT[] AS long_lived_subnets, short_lived_subnets::INT[] AS short_lived_subnets)
      FROM read_json('${await exported(format)}', format = '${kind}') ORDER BY peer_id`);
    expect(Object.keys(rows[0] ?? {})).toEqual(columns);
    expect(comparable(rows as unknown as Row[])).toEqual(comparable(await stored()));
  });

  it('as CSV has the columns in their order, and every value but for formulas, which are disarmed', async () => {
    const path = await exported('csv');
    const [header] = (await readFile(path, 'utf8')).split('\r\n');
    expect(header).toBe(columns.join(','));
    const rows = (await duckdb(`
      SELECT * REPLACE (long_lived_subnets::INT[] AS long_lived_subnets, short_lived_subnets::INT[] AS short_lived_subnets,
        possible_validator::BOOLEAN AS possible_validator)
      FROM read_csv('${path}', header = true, all_varchar = true, delim = ',', quote = '"', escape = '"', allow_quoted_nulls = false) ORDER BY peer_id`)) as unknown as Row[];
    const disarmed = (await stored()).map((row) => {
      const agent = row['client_version'];
      return typeof agent === 'string' && /^[=+\-@'\t＝]/.test(agent) ? { ...row, client_version: `'${agent}` } : row;
    });
    expect(comparable(rows)).toEqual(comparable(disarmed));
    // Figures are no text of strangers.
    expect(rows.some((row) => String(row['latitude']).startsWith('-33.8'))).toBe(true);
  });

  it('as GeoJSON has a point for each peer with coordinates, longitude first, and no geometry for the others', async () => {
    const path = await exported('geojson');
    const features = await duckdb(`
      SELECT f.type AS type, f.id AS id, f.geometry.type AS geometry, f.geometry.coordinates::DOUBLE[] AS coordinates,
        f.properties.client_version AS agent
      FROM (SELECT unnest(features) AS f FROM read_json('${path}')) ORDER BY id`);
    expect(features).toEqual(
      (await stored()).map(({ peer_id, latitude, longitude, client_version }) => ({
        type: 'Feature',
        id: peer_id,
        geometry: latitude === null ? null : 'Point',
        coordinates: latitude === null ? null : [longitude, latitude],
        agent: client_version,
      })),
    );
    expect(await duckdb(`SELECT type FROM read_json('${path}')`)).toEqual([{ type: 'FeatureCollection' }]);
  });

  it.each(EXPORT_FORMATS)('as %s may hold no peers at all', async (format) => {
    const empty = join(folder.path, `empty-${format}`);
    await (await openTracker(empty)).close();
    const out = join(folder.path, `empty.${format}`);
    expect((await inProcess('export', '--data-dir', empty, '--out', out)).code).toBe(0);
    if (format === 'csv') expect(await readFile(out, 'utf8')).toBe(`${columns.join(',')}\r\n`);
    else if (format === 'json') expect(JSON.parse(await readFile(out, 'utf8'))).toEqual([]);
    else if (format === 'ndjson') expect(await readFile(out, 'utf8')).toBe('');
    else if (format === 'geojson')
      expect(JSON.parse(await readFile(out, 'utf8'))).toEqual({ type: 'FeatureCollection', features: [] });
    else {
      expect(Object.keys(await duckdbTypes(`SELECT * FROM read_parquet('${out}')`))).toEqual(columns);
      expect(await duckdb(`SELECT count(*)::INT AS n FROM read_parquet('${out}')`)).toEqual([{ n: 0 }]);
    }
  });

  it.each(EXPORT_FORMATS)('as %s for the public tells nothing that identifies a node', async (format) => {
    const path = await exported(format, '--public', 'true');
    const source = format === 'parquet' ? `read_parquet('${path}')` : null;
    const text =
      source === null ? await readFile(path, 'utf8') : JSON.stringify(await duckdb(`SELECT * FROM ${source}`));
    for (const secret of ['peer-0', 'secret', '9.8.7.6', 'SW1A', '[3,63]', '-33.87', 'multiaddr', 'long_lived']) {
      expect(text).not.toContain(secret);
    }
    expect(text).toContain('-33.9');
    expect(text).toMatch(/[0-9a-f]{32}/);
  });
});

describe('export', () => {
  it('shows what is committed while a consumer is in the middle of a transaction', async () => {
    const { promise: written, resolve } = Promise.withResolvers<string>();
    await tracker.writer.transaction(async () => {
      await tracker.writer.run("UPDATE validator_tracker SET city = 'Uncommitted'");
      resolve(await readFile(await exported('csv'), 'utf8'));
      await tracker.writer.run("UPDATE validator_tracker SET city = 'Sydney'");
    });
    expect(await written).not.toContain('Uncommitted');
    expect((await written).match(/Sydney/g)).toHaveLength(PEERS);
  });

  it('of a folder that no consumer has used is refused in one line, and makes nothing', async () => {
    const nowhere = join(folder.path, 'nowhere');
    for (const prepare of [
      async () => {},
      () => mkdir(nowhere),
      () => writeFile(join(nowhere, 'validator_tracker.sqlite'), ''),
    ]) {
      await prepare();
      const before = await readdir(folder.path);
      const done = await inProcess('export', '--data-dir', nowhere, '--out', join(folder.path, 'never.csv'));
      expect(done).toMatchObject({ code: 1, stdout: '' });
      expect(done.stderr).toMatch(/^valtrack: there is no validator view in .*nowhere; .*--data-dir.*\n$/);
      expect(await readdir(folder.path)).toEqual(before);
    }
  });

  it('takes the format from the name of the file unless it is said', async () => {
    const out = join(folder.path, 'view.NDJSON');
    await inProcess('export', '--data-dir', dataDir, '--out', out);
    expect(JSON.parse((await readFile(out, 'utf8')).split('\n')[0] ?? '')).toMatchObject({ peer_id: 'peer-000000' });
    await inProcess('export', '--data-dir', dataDir, '--out', out, '--format', 'csv');
    expect(await readFile(out, 'utf8')).toMatch(/^peer_id,/);
  });

  it('replaces a file in one step, keeps its mode, follows a link to it, and leaves nothing beside it', async () => {
    const place = join(folder.path, 'place');
    await mkdir(place);
    await writeFile(join(place, 'view.json'), 'old');
    await chmod(join(place, 'view.json'), 0o600);
    await symlink('view.json', join(place, 'link.json'));
    const before = await stat(join(place, 'view.json'));
    expect((await inProcess('export', '--data-dir', dataDir, '--out', join(place, 'link.json'))).stdout).toBe(
      `${PEERS} peers were written to ${join(place, 'link.json')}.\n`,
    );
    const after = await stat(join(place, 'view.json'));
    expect(JSON.parse(await readFile(join(place, 'view.json'), 'utf8'))).toHaveLength(PEERS);
    expect(after.ino).not.toBe(before.ino);
    expect(after.mode & 0o777).toBe(0o600);
    expect((await readdir(place)).sort()).toEqual(['link.json', 'view.json']);
  });

  it('that fails half way leaves an earlier file as it was, and nothing beside it', async () => {
    const broken = join(folder.path, 'broken');
    const its = await openTracker(broken);
    await fill(its, 600);
    await its.writer.run("UPDATE validator_tracker SET long_lived_subnets = '[1' WHERE peer_id = 'peer-000500'");
    await its.close();
    const place = join(folder.path, 'kept');
    await mkdir(place);
    for (const format of EXPORT_FORMATS) {
      const out = join(place, `view.${format}`);
      await writeFile(out, 'old');
      expect(await inProcess('export', '--data-dir', broken, '--out', out)).toMatchObject({ code: 1, stdout: '' });
      expect(await readFile(out, 'utf8')).toBe('old');
    }
    expect(await readdir(place)).toHaveLength(EXPORT_FORMATS.length);
  });

  it.each([
    ['none/view.csv', 'ENOENT'],
    ['.', 'EISDIR'],
  ])('to %s is refused in one line', async (name, code) => {
    const out = join(folder.path, name);
    const done = await inProcess('export', '--data-dir', dataDir, '--out', out);
    expect(done.code).toBe(1);
    expect(done.stderr).toBe(`valtrack: ${out} cannot be written (${code}); choose another with --out\n`);
  });

  it('to a device writes to the device and does not replace it', async () => {
    expect((await inProcess('export', '--data-dir', dataDir, '--out', '/dev/null')).code).toBe(0);
    expect((await stat('/dev/null')).isCharacterDevice()).toBe(true);
  });

  it('refuses to write Parquet to a terminal', async () => {
    const { isTTY } = process.stdout;
    process.stdout.isTTY = true;
    try {
      const done = await inProcess('export', '--data-dir', dataDir, '--format', 'parquet');
      expect(done).toMatchObject({ code: 2, stdout: '' });
      expect(done.stderr).toMatch(/^valtrack: --format parquet is not for a terminal; .*--out.*\n$/);
    } finally {
      process.stdout.isTTY = isTTY;
    }
  });
});

describe('export to standard output', () => {
  beforeAll(async () => {
    const large = await openTracker(join(folder.path, 'large'));
    await fill(large, 6_000);
    await large.close();
  });

  it('is the same as to a file', async () => {
    const done = await valtrackDone(['export', '--data-dir', dataDir, '--format', 'json']);
    expect(done).toMatchObject({ code: 0, said: [] });
    expect(done.stdout).toBe(await readFile(await exported('json'), 'utf8'));
  });

  it.each(['SIGINT', 'SIGTERM'] as const)('ends on %s even when nobody reads', async (signal) => {
    const fifo = join(folder.path, `fifo-${signal}`);
    await promisify(execFile)('mkfifo', [fifo]);
    // Holds the pipe open, and never reads.
    await using reader = await open(fifo, 'r+');
    const child = spawn(process.execPath, [CLI, 'export', '--data-dir', join(folder.path, 'large')], {
      stdio: ['ignore', reader.fd, 'pipe'],
    });
    const exited = once(child, 'close');
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    // The first bytes are there: it is in the middle of it.
    await reader.read(Buffer.alloc(1), 0, 1, null);
    child.kill(signal);
    expect(await exited).toEqual([0, null]);
    expect(said).toMatch(/^valtrack: stopped after [\d,]+ peers\n$/);
  });

  const shell = (script: string) =>
    promisify(execFile)('bash', ['-c', script, process.execPath, CLI, dataDir, folder.path]);

  it('pipes Parquet', async () => {
    await shell('"$0" "$1" export --data-dir "$2" --format parquet | cat > "$3/piped.parquet"');
    const path = join(folder.path, 'piped.parquet');
    expect(await duckdb(`SELECT count(DISTINCT peer_id)::INT AS n FROM read_parquet('${path}')`)).toEqual([
      { n: PEERS },
    ]);
  });

  it.each(EXPORT_FORMATS)('ends quietly when nobody reads on: %s', async (format) => {
    const { stdout, stderr } = await shell(
      `"$0" "$1" export --data-dir "$3/large" --format ${format} | head -c 1 > "$3/first"; echo "\${PIPESTATUS[@]}"`,
    );
    expect({ stdout, stderr }).toEqual({ stdout: '0 0\n', stderr: '' });
  });
});
