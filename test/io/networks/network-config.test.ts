import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readNetworkConfig } from '../../../src/io/networks/network-config.ts';
import { tempDir } from '../../support/temp-dir.ts';

/** Hoodi as its operators publish it, as far as a crawler needs it. */
const HOODI = `
PRESET_BASE: 'mainnet'
CONFIG_NAME: hoodi
MIN_GENESIS_TIME: 1742212800
GENESIS_DELAY: 600
GENESIS_FORK_VERSION: 0x10000910
ALTAIR_FORK_VERSION: 0x20000910
ALTAIR_FORK_EPOCH: 0
BELLATRIX_FORK_VERSION: 0x30000910
BELLATRIX_FORK_EPOCH: 0
CAPELLA_FORK_VERSION: 0x40000910
CAPELLA_FORK_EPOCH: 0
DENEB_FORK_VERSION: 0x50000910
DENEB_FORK_EPOCH: 0
ELECTRA_FORK_VERSION: 0x60000910
ELECTRA_FORK_EPOCH: 2048
FULU_FORK_VERSION: 0x70000910
FULU_FORK_EPOCH: 50688
GLOAS_FORK_VERSION: 0x80000910
GLOAS_FORK_EPOCH: 18446744073709551615
SECONDS_PER_SLOT: 12
MAX_BLOBS_PER_BLOCK_ELECTRA: 9
BLOB_SCHEDULE:
  - EPOCH: 52480
    MAX_BLOBS_PER_BLOCK: 15
  - EPOCH: 54016
    MAX_BLOBS_PER_BLOCK: 21
`;
const HOODI_ROOT = '212f13fc4df078b6cb7db228f1c8307566dcecf900867401a92023d7ba99cb5f';
const HOODI_GENESIS_SEC = 1742213400;
/** From the reference's table of digests. */
const HOODI_STEPS = [
  [0, 'd2f1997f'],
  [2048, '82556a32'],
  [50688, 'e2abcca4'],
  [52480, 'ae9f70a0'],
  [54016, 'c6ecb76c'],
];
const BOOTNODES = '# EF\n- enr:-abc_1\n- "enr:-def-2"\n- enr:-abc_1\n';

function genesisState(): Uint8Array {
  const state = Buffer.alloc(4_096);
  state.writeBigUInt64LE(BigInt(HOODI_GENESIS_SEC), 0);
  Buffer.from(HOODI_ROOT, 'hex').copy(state, 8);
  return state;
}

let dir: Awaited<ReturnType<typeof tempDir>>;
beforeEach(async () => {
  dir = await tempDir();
});
afterEach(() => dir.remove());

async function lay(files: Readonly<Record<string, string | Uint8Array>>): Promise<string> {
  await mkdir(join(dir.path, 'hoodi'), { recursive: true });
  for (const [name, content] of Object.entries(files)) await writeFile(join(dir.path, 'hoodi', name), content);
  return join(dir.path, 'hoodi', 'config.yaml');
}

const read = (location: string) => readNetworkConfig({ location, activeValidators: 7 });

describe('a network from its config.yaml', () => {
  test('with a genesis state beside it', async () => {
    const location = await lay({
      'config.yaml': HOODI,
      'genesis.ssz': genesisState(),
      'bootstrap_nodes.yaml': BOOTNODES,
    });
    const network = await read(location);
    expect(network).toMatchObject({
      name: 'hoodi',
      genesisTimeMs: HOODI_GENESIS_SEC * 1_000,
      genesisValidatorsRoot: HOODI_ROOT,
      slotMs: 12_000,
      slotsPerEpoch: 32,
      activeValidators: 7,
      bootnodes: ['enr:-abc_1', 'enr:-def-2'],
    });
    expect(network.forkSteps.map(({ epoch, digest }) => [epoch, digest])).toEqual(HOODI_STEPS);
  });

  test('with the root as text, when the state is only a Git LFS pointer', async () => {
    const pointer = 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n';
    const location = await lay({
      'config.yaml': HOODI,
      'genesis.ssz': pointer,
      'genesis_validators_root.txt': `0x${HOODI_ROOT}\n`,
    });
    const network = await read(location);
    expect(network.genesisTimeMs).toBe(HOODI_GENESIS_SEC * 1_000);
    expect(network.forkSteps.map(({ digest }) => digest)).toEqual(HOODI_STEPS.map(([, digest]) => digest));
    expect(network.bootnodes).toEqual([]);
  });

  test.each([
    ['nothing there', {}, /there is no such file/],
    ['not YAML', { 'config.yaml': 'a: [' }, /is not YAML/],
    ['no fork version', { 'config.yaml': 'PRESET_BASE: mainnet' }, /GENESIS_FORK_VERSION/],
    [
      'a version of three bytes',
      { 'config.yaml': HOODI.replace('0x10000910', "'0x100009'") },
      /GENESIS_FORK_VERSION: expected 4 bytes/,
    ],
    ['no genesis', { 'config.yaml': HOODI }, /needs genesis.ssz or genesis_validators_root.txt beside it/],
  ])('says in one line what is wrong: %s', async (_, files, message) => {
    const location = await lay(files);
    await expect(read(location)).rejects.toThrow(message);
    await expect(read(location)).rejects.toThrow(location);
    await expect(read(location)).rejects.not.toThrow('\n');
  });
});

describe('a network from an address', () => {
  let server: Server;
  let base: string;
  let served: Record<string, string | Uint8Array>;
  beforeEach(async () => {
    served = {};
    server = createServer((request, response) => {
      const content = served[request.url ?? ''];
      response.statusCode = content === undefined ? 404 : 200;
      response.end(content);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  test('reads what lies beside the configuration, and of the state no more than it needs', async () => {
    served = {
      '/latest/config.yaml': HOODI,
      '/latest/genesis.ssz': genesisState(),
      '/latest/boot_enr.txt': 'enr:-one\nenr:-two\n',
    };
    const network = await read(`${base}/latest/config.yaml`);
    expect(network.forkSteps.at(-1)?.digest).toBe('c6ecb76c');
    expect(network.bootnodes).toEqual(['enr:-one', 'enr:-two']);
  });

  test('says when there is nothing', async () => {
    await expect(read(`${base}/config.yaml`)).rejects.toThrow(
      `${base}/config.yaml cannot be read: there is no such file`,
    );
  });
});
