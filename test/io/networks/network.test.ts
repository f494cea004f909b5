import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Network } from '../../../src/consensus/network.ts';
import { builtInNetwork } from '../../../src/consensus/networks.ts';
import { NetworkError } from '../../../src/io/networks/network-error.ts';
import { devnetNetwork, readDevnetFile } from '../../../src/io/networks/network-file.ts';
import { bindToNetwork } from '../../../src/io/storage/sentry/network-binding.ts';
import { openSentryDatabase } from '../../../src/io/storage/sentry/sentry-database.ts';
import type { SqliteDatabase } from '../../../src/io/storage/sqlite/sqlite.ts';
import { tempDir } from '../../support/temp-dir.ts';

let dir: Awaited<ReturnType<typeof tempDir>>;
beforeEach(async () => {
  dir = await tempDir();
});
afterEach(() => dir.remove());

const NODE = {
  peer_id: '16Uiu2HAm9dqnTSYPpqFevmJXXvRUavRzcEuYPVS2htkoQLumpu4w',
  enr: 'enr:-x',
  multiaddrs: ['/ip4/127.20.0.1/tcp/9000'],
  client: 'Teku',
  validators: 3,
  stake_eth: 96,
  custody_group_count: 8,
  long_lived_subnets: [1, 2],
  behaviour: 'honest',
};
/** As the contract has it, on mainnet's root so that the digests are known. */
const FILE = {
  genesis_time_ms: 1_700_000_000_000,
  slot_ms: 250,
  slots_per_epoch: 32,
  genesis_validators_root: '4b363db94e286120d76eb905340fdd4e54bfe9f06bf33ff6cf5ad27f511bfe95',
  fork_digest: 'cc2c5cdb',
  active_validators: 1_000_000,
  bootnodes: ['enr:-x'],
  nodes: [NODE],
};

describe('network.json', () => {
  const path = () => join(dir.path, 'network.json');
  async function read(content: unknown): Promise<Network> {
    await writeFile(path(), typeof content === 'string' ? content : JSON.stringify(content));
    return devnetNetwork(await readDevnetFile(path()));
  }

  it('without a schedule has one digest for ever', async () => {
    expect(await read(FILE)).toEqual({
      name: 'devnet',
      isPublic: false,
      genesisTimeMs: 1_700_000_000_000,
      slotMs: 250,
      slotsPerEpoch: 32,
      genesisValidatorsRoot: FILE.genesis_validators_root,
      forkSteps: [{ epoch: 0, name: 'devnet', forkVersion: '00000000', digest: 'cc2c5cdb', blobs: null }],
      bootnodes: ['enr:-x'],
      activeValidators: 1_000_000,
    });
    expect((await read({ ...FILE, forks: [] })).forkSteps).toHaveLength(1);
  });

  it('takes hex with prefix and in capitals', async () => {
    const network = await read({ ...FILE, fork_digest: '0xCC2C5CDB' });
    expect(network.forkSteps[0]?.digest).toBe('cc2c5cdb');
  });

  it('with a schedule has the digests that follow from it', async () => {
    const forks = [
      { name: 'electra', epoch: 0, version: '05000000' },
      { name: 'fulu', epoch: 10, version: '0x06000000' },
    ];
    const blob_schedule = [
      { epoch: 412_672, max_blobs: 15 },
      { epoch: 419_072, max_blobs: 21 },
    ];
    const { forkSteps } = await read({ ...FILE, forks, blob_schedule });
    expect(forkSteps.map(({ epoch, digest }) => [epoch, digest])).toEqual([
      [0, 'ad532ceb'],
      [10, expect.stringMatching(/^[0-9a-f]{8}$/)],
      [412_672, 'cb0d1acc'],
      [419_072, '8c9f62fe'],
    ]);
  });

  it.each([
    ['is not JSON', '{', /is not JSON; write it anew/],
    ['is something else', '[]', /is not valid/],
    ['has no slots', { ...FILE, slot_ms: undefined }, /slot_ms/],
    ['has slots of no length', { ...FILE, slot_ms: 0 }, /slot_ms/],
    ['has a digest of another length', { ...FILE, fork_digest: 'cc2c5c' }, /fork_digest: expected 4 bytes of hex/],
    ['has a root that is none', { ...FILE, genesis_validators_root: 'x' }, /genesis_validators_root: expected 32/],
    ['has a node without a peer id', { ...FILE, nodes: [{ ...NODE, peer_id: 5 }] }, /nodes\.0\.peer_id/],
    ['has a negative fork', { ...FILE, forks: [{ name: 'x', epoch: -1, version: '00000000' }] }, /forks\.0\.epoch/],
  ])('that %s is refused in one line that names the file and the field', async (_, content, message) => {
    const refusal = await read(content).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(NetworkError);
    expect((refusal as Error).message).toMatch(message);
    expect((refusal as Error).message).toContain(path());
    expect((refusal as Error).message).not.toContain('\n');
  });

  it('that cannot be read is refused likewise', async () => {
    await expect(readDevnetFile(path())).rejects.toThrow(
      new NetworkError(`network file ${path()} cannot be read (ENOENT)`),
    );
    await mkdir(path());
    await expect(readDevnetFile(path())).rejects.toThrow(/cannot be read \(EISDIR\)/);
  });
});

describe('a data folder', () => {
  let database: SqliteDatabase;
  beforeEach(async () => {
    database = await openSentryDatabase(dir.path);
  });
  afterEach(() => database.close());

  const mainnet = builtInNetwork('mainnet');
  const devnet: Network = { ...mainnet, name: 'devnet', isPublic: false };

  it('belongs to the network of its first use', async () => {
    expect(await bindToNetwork(database, mainnet)).toBe(false);
    expect(await bindToNetwork(database, mainnet)).toBe(true);
    await expect(bindToNetwork(database, builtInNetwork('sepolia'))).rejects.toThrow(
      new NetworkError(
        `the data folder of ${database.path} belongs to mainnet; give sepolia a folder of its own with --data-dir`,
      ),
    );
    await expect(bindToNetwork(database, devnet)).rejects.toThrow(NetworkError);
    expect(await bindToNetwork(database, mainnet)).toBe(true);
  });

  it('of a devnet may be used for the next one, which is told', async () => {
    const next = { ...devnet, genesisTimeMs: devnet.genesisTimeMs + 1 };
    expect(await bindToNetwork(database, devnet)).toBe(false);
    expect(await bindToNetwork(database, next)).toBe(false);
    expect(await bindToNetwork(database, next)).toBe(true);
    expect(await bindToNetwork(database, devnet)).toBe(false);
  });

  it('of a public network is not used for another that has its name', async () => {
    await bindToNetwork(database, mainnet);
    const imposter = { ...mainnet, genesisValidatorsRoot: '00'.repeat(32) };
    await expect(bindToNetwork(database, imposter)).rejects.toThrow(NetworkError);
  });
});
