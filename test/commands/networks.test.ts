import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { inProcess } from '../support/commands/in-process.ts';
import { quietNetwork } from '../support/e2e/quiet-network.ts';
import { valtrackDone } from '../support/e2e/valtrack.ts';
import { tempDir } from '../support/temp-dir.ts';

/** What is said of a network that cannot be used, and of a list of those to leave alone. */

const TARGET = '/ip4/127.0.0.1/tcp/9/p2p/16Uiu2HAm9dqnTSYPpqFevmJXXvRUavRzcEuYPVS2htkoQLumpu4w';

let dir: Awaited<ReturnType<typeof tempDir>>;
let server: Server;
let answer: { code: number; body: string };
let origin: string;

beforeAll(async () => {
  dir = await tempDir();
  server = createServer((_, response) => response.writeHead(answer.code).end(answer.body)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => vi.restoreAllMocks());
afterAll(async () => {
  server.close();
  await dir.remove();
});

async function refusal(network: string, code: number): Promise<string> {
  const done = await inProcess('probe', TARGET, '--network', network);
  expect(done).toMatchObject({ code, stdout: '' });
  const [, message] = /^valtrack: ([^\n]+)\n$/.exec(done.stderr) ?? [];
  if (message === undefined) throw new Error(`not one line: ${done.stderr}`);
  return message;
}

describe('--network ephemery', () => {
  it('asks where its genesis is published, and says so in one line when that does not answer', async () => {
    const asked: string[] = [];
    vi.spyOn(globalThis, 'fetch').mockImplementation(async (address) => {
      asked.push(String(address));
      throw new TypeError('fetch failed\n  because');
    });
    expect(await refusal('ephemery', 1)).toMatch(
      /^https:\/\/ephemery\.dev\/latest\/config\.yaml cannot be fetched \(fetch failed; because\)$/,
    );
    expect(asked).toEqual(['https://ephemery.dev/latest/config.yaml']);
  });
});

describe('--network with an address', () => {
  it.each([
    [404, '', 'cannot be read: there is no such file'],
    [500, '', 'answered 500'],
    [200, 'a: [1', 'is not YAML'],
    [200, '<html>not here</html>', 'is not valid'],
    [200, 'GENESIS_FORK_VERSION: 0x0102030405', 'is not valid'],
  ])('that answers %d %j is refused', async (code, body, message) => {
    answer = { code, body };
    const said = await refusal(`${origin}/config.yaml`, 1);
    expect(said).toContain(`${origin}/config.yaml`);
    expect(said).toContain(message);
  });

  it('where nobody serves is refused', async () => {
    expect(await refusal('http://127.0.0.1:9/config.yaml', 1)).toContain('cannot be fetched');
  });
});

describe('--network with a config.yaml', () => {
  it.each([
    ['that is none', '- a\n- b\n', 'is not valid'],
    ['that is no YAML', 'a: "b\nc: d\n', 'is not YAML'],
    ['that lacks a genesis', 'GENESIS_FORK_VERSION: 0x10000910\n', 'needs genesis.ssz or genesis_validators_root.txt'],
  ])('%s is refused', async (_, content, message) => {
    const path = join(dir.path, `${crypto.randomUUID()}.yaml`);
    await writeFile(path, content);
    const said = await refusal(path, 1);
    expect(said).toContain(path);
    expect(said).toContain(message);
  });

  it('that is not there is refused', async () => {
    expect(await refusal(join(dir.path, 'none.yaml'), 1)).toMatch(/none\.yaml cannot be read: there is no such file$/);
  });
});

describe('--allow-private', () => {
  it.each(['mainnet', 'gnosis', 'devnet', './network.json'])('is wrong use with %s', async (network) => {
    const data = ['--data-dir', join(dir.path, 'private')];
    for (const command of [
      ['run', ...data],
      ['sentry', ...data],
      ['probe', TARGET],
    ]) {
      const { code, stdout, stderr } = await inProcess(...command, '--network', network, '--allow-private', 'true');
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr).toBe(
        `valtrack: --allow-private goes with the config.yaml of a network of one's own, not with --network ${network}\n`,
      );
    }
  });

  it('says nothing when it is false', async () => {
    expect(await inProcess('probe', TARGET, '--allow-private', 'false', '--network', 'mainnet')).toMatchObject({
      code: 1,
      stderr: '',
    });
  });
});

describe('--opt-out', () => {
  async function optingOut(list: string) {
    const network = await quietNetwork(dir.path);
    const data = join(dir.path, crypto.randomUUID());
    return valtrackDone(['run', '--network', network, '--data-dir', data, '--http-port', '0', '--opt-out', list]);
  }

  it.each([
    ['that is not there', null, /^valtrack: --opt-out \S+ cannot be read \(ENOENT\)$/],
    [
      'with a typing error',
      '192.0.2.0/24\n\n16Uiu2HAm9dqn\n',
      /^valtrack: --opt-out \S+: line 3 is neither a peer id, a node id, an address nor a network$/,
    ],
  ])('with a file %s contacts nobody and ends with exit code 2', async (_, content, message) => {
    const list = join(dir.path, crypto.randomUUID());
    if (content !== null) await writeFile(list, content);
    const { code, said, stdout, log } = await optingOut(list);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(said).toEqual([expect.stringMatching(message)]);
    expect(log.filter(({ msg }) => msg === 'crawling')).toEqual([]);
  });
});
