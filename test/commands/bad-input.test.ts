import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inProcess } from '../support/commands/in-process.ts';
import { quietNetwork } from '../support/e2e/quiet-network.ts';
import { valtrack, valtrackDone } from '../support/e2e/valtrack.ts';
import { tempDir } from '../support/temp-dir.ts';

let folder: Awaited<ReturnType<typeof tempDir>>;
let network: string;

beforeAll(async () => {
  folder = await tempDir();
  network = await quietNetwork(folder.path);
});
afterAll(() => folder.remove());

/** One line, no stack trace, and the exit code. */
async function expectRefusal(args: readonly string[], code: number, message: RegExp | string): Promise<void> {
  const { stderr, ...done } = await inProcess(...args, '--log-level', 'silent');
  expectOneLine({ ...done, said: stderr.split('\n').slice(0, -1) }, code, message);
}

/** The same of a process, which nothing may keep alive. */
async function expectProcessRefusal(args: readonly string[], code: number, message: RegExp | string): Promise<void> {
  expectOneLine(await valtrackDone(args), code, message);
}

interface Said {
  readonly code: number | null;
  readonly stdout: string;
  readonly said: readonly string[];
}

function expectOneLine(done: Said, code: number, message: RegExp | string): void {
  expect(done.said).toHaveLength(1);
  expect(done.said[0]).toMatch(message);
  expect(done.said[0]).toMatch(/^valtrack: /);
  expect(done.code).toBe(code);
  expect(done.stdout).toBe('');
}

async function dataDir(): Promise<string> {
  const path = join(folder.path, crypto.randomUUID());
  await mkdir(path);
  return path;
}

function runOn(data: string, ...more: string[]): string[] {
  return ['run', '--network', network, '--data-dir', data, '--http-port', '0', ...more];
}

describe('a network file', () => {
  it.each([
    ['that is not JSON', '{"genesis_time_ms": 1', /network file .*\.json is not JSON; write it anew/],
    ['of another shape', '{"a":1}', /network file .*\.json is not valid: genesis_time_ms: /],
    ['that is empty', '', /network file .*\.json is not JSON/],
  ])('%s is refused', async (_, content, message) => {
    const path = join(folder.path, `${crypto.randomUUID()}.json`);
    await writeFile(path, content);
    await expectRefusal(['run', '--network', path, '--data-dir', await dataDir()], 1, message);
  });

  it('that is a folder is refused', async () => {
    await expectRefusal(
      ['run', '--network', folder.path, '--data-dir', await dataDir()],
      1,
      /cannot be read \(EISDIR\)/,
    );
  });
});

describe('a data folder', () => {
  it.each([
    ['below a file', () => join(network, 'data'), 'ENOTDIR'],
    ['that is a file', () => network, 'ENOTDIR'],
    ['in /proc', () => '/proc/valtrack/data', 'ENOENT'],
  ])('%s cannot be used', async (_, path, code) => {
    const before = await readFile(network);
    await expectRefusal(runOn(path()), 1, `folder ${path()} cannot be used (${code}); choose another with --data-dir`);
    expect(await readFile(network)).toEqual(before);
  });

  it.each([
    ['sentry.sqlite', /sentry\.sqlite cannot be used as a SQLite database \(.*not a database\); move it away/],
    [
      'validator_tracker.sqlite',
      /tracker\.sqlite cannot be used as a SQLite database \(.*not a database\); move it away/,
    ],
    ['identity', /identity does not hold a node key; move it away/],
    ['pseudonym.key', /pseudonym\.key does not hold 32 bytes of hex; /],
  ])('with a broken %s is refused and left as it is', async (file, message) => {
    const data = await dataDir();
    await writeFile(join(data, file), 'this is not what belongs here, '.repeat(100));
    const before = await readFile(join(data, file));
    await expectRefusal(runOn(data), 1, message);
    expect(await readFile(join(data, file))).toEqual(before);
  });

  it('with a truncated database is refused and left as it is', async () => {
    const data = await dataDir();
    const crawl = valtrack(runOn(data));
    await crawl.line(({ msg }) => msg === 'crawling');
    expect(await crawl.stop()).toBe(0);
    const broken = await dataDir();
    await cp(data, broken, { recursive: true });
    const path = join(broken, 'validator_tracker.sqlite');
    const whole = await readFile(path);
    const half = whole.subarray(0, Math.floor(whole.length / 2));
    await writeFile(path, half);
    await expectRefusal(runOn(broken), 1, /validator_tracker\.sqlite .*(damaged|cannot be used).*move it away/);
    expect(await readFile(path)).toEqual(half);
  });
});

describe('a port', () => {
  it('in use is named, with the option that changes it', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    await expectProcessRefusal(
      ['run', '--network', network, '--data-dir', await dataDir(), '--http-port', String(port)],
      1,
      `cannot serve HTTP on 127.0.0.1:${port}: the port is in use; stop the other program or choose another with --http-port`,
    );
    await expectProcessRefusal(
      runOn(await dataDir(), '--port', String(port)),
      1,
      `cannot listen on 127.0.0.1, UDP and TCP port ${port}: in use; stop the other program or choose another with --port`,
    );
    other.close();
  });

  it('that only UDP is in use on is named as well', async () => {
    const other = createSocket('udp4').bind(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address();
    await expectRefusal(
      runOn(await dataDir(), '--port', String(port)),
      1,
      `cannot listen on 127.0.0.1, UDP and TCP port ${port}: in use; stop the other program or choose another with --port`,
    );
    other.close();
  });
});

describe('NATS', () => {
  it('that nobody runs ends consumer, run and replay with the remedy', async () => {
    const nowhere = ['--nats-url', 'nats://127.0.0.1:1', '--data-dir', await dataDir()];
    const message =
      /no NATS server can be reached at 127\.0\.0\.1:1 \(.*\); start one, or give its address with --nats-url/;
    const file = new URL('../fixtures/valtrack-sample-2024-05.csv', import.meta.url).pathname;
    await expectProcessRefusal(['consumer', ...nowhere, '--http-port', '0'], 1, message);
    await expectRefusal(['run', ...nowhere, '--http-port', '0', '--network', network], 1, message);
    await expectRefusal(['replay', ...nowhere, file], 1, message);
  });
});

describe('a recording', () => {
  it('that is not there stops replay before anything is written', async () => {
    const data = join(folder.path, 'untouched');
    const there = new URL('../fixtures/valtrack-sample-2024-05.csv', import.meta.url).pathname;
    await expectRefusal(
      ['replay', there, 'none.csv', '--data-dir', data],
      1,
      'recording none.csv cannot be read (ENOENT); check the path',
    );
    expect(await readdir(folder.path)).not.toContain('untouched');
  });

  it('that is no Parquet file is named', async () => {
    const path = join(folder.path, 'no.parquet');
    await writeFile(path, 'nothing like it');
    await expectRefusal(
      ['replay', path, '--data-dir', await dataDir()],
      1,
      /recording .*no\.parquet failed: .*Parquet/,
    );
  });
});
