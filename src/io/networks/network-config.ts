import { open } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { fromHex, toHex } from '../../consensus/bits.ts';
import type { Network } from '../../consensus/network.ts';
import { type ChainParameters, type Genesis, networkFrom } from '../../consensus/networks.ts';
import { NetworkError } from './network-error.ts';

/**
 * Any network from a consensus `config.yaml` and the files that lie beside it, as eth-clients, ephemery and Kurtosis lay
 * them out: `genesis.ssz` (or `genesis_validators_root.txt`) and a list of bootnodes.
 */

/** Reads a file beside the configuration; `null` when there is none. `maxBytes` are read at most. */
type ReadBeside = (name: string, maxBytes: number) => Promise<Uint8Array | null>;

const MAX_TEXT_BYTES = 1024 * 1024;
const FETCH_TIMEOUT_MS = 15_000;
/** A BeaconState begins with genesis_time (8 bytes) and genesis_validators_root (32 bytes). */
const GENESIS_BYTES = 40;
/** Year 2100. */
const LATEST_GENESIS_SEC = 4_102_444_800;
const BOOTNODE_FILES = [
  'bootstrap_nodes.yaml',
  'boot_enr.yaml',
  'bootstrap_nodes.txt',
  'boot_enr.txt',
  'bootnodes.yaml',
];

const epoch = z
  .union([z.number(), z.string(), z.bigint()])
  .transform((value) => (BigInt(value) >= BigInt(Number.MAX_SAFE_INTEGER) ? Number.POSITIVE_INFINITY : Number(value)));
const version = z
  .union([z.string(), z.number()])
  .transform((value) => fromHex(typeof value === 'number' ? value.toString(16).padStart(8, '0') : value))
  .pipe(z.instanceof(Uint8Array).refine((bytes) => bytes.length === 4, 'expected 4 bytes of hex'));

const chainConfig = z.object({
  CONFIG_NAME: z.string().optional(),
  PRESET_BASE: z.string().default('mainnet'),
  SECONDS_PER_SLOT: z.number().positive().optional(),
  SLOT_DURATION_MS: z.number().positive().optional(),
  MIN_GENESIS_TIME: z.number().nonnegative().optional(),
  GENESIS_DELAY: z.number().nonnegative().default(0),
  GENESIS_FORK_VERSION: version,
  MAX_BLOBS_PER_BLOCK_ELECTRA: z.number().default(9),
  BLOB_SCHEDULE: z
    .array(z.object({ EPOCH: epoch, MAX_BLOBS_PER_BLOCK: z.number() }))
    .nullish()
    .transform((schedule) => schedule ?? []),
  ALTAIR_FORK_EPOCH: epoch.optional(),
  ALTAIR_FORK_VERSION: version.optional(),
  BELLATRIX_FORK_EPOCH: epoch.optional(),
  BELLATRIX_FORK_VERSION: version.optional(),
  CAPELLA_FORK_EPOCH: epoch.optional(),
  CAPELLA_FORK_VERSION: version.optional(),
  DENEB_FORK_EPOCH: epoch.optional(),
  DENEB_FORK_VERSION: version.optional(),
  ELECTRA_FORK_EPOCH: epoch.optional(),
  ELECTRA_FORK_VERSION: version.optional(),
  FULU_FORK_EPOCH: epoch.optional(),
  FULU_FORK_VERSION: version.optional(),
  GLOAS_FORK_EPOCH: epoch.optional(),
  GLOAS_FORK_VERSION: version.optional(),
  HEZE_FORK_EPOCH: epoch.optional(),
  HEZE_FORK_VERSION: version.optional(),
});

export interface NetworkConfigOptions {
  /** A path or an http(s) address of a `config.yaml`. */
  readonly location: string;
  /** Overrides the name in the file. */
  readonly name?: string;
  readonly activeValidators: number;
}

/**
 * Reads a network from a `config.yaml`.
 * @throws NetworkError that names the file and what is wrong with it
 */
export async function readNetworkConfig({ location, name, activeValidators }: NetworkConfigOptions): Promise<Network> {
  const beside = readerBeside(location);
  const text = await beside(fileNameOf(location), MAX_TEXT_BYTES);
  if (text === null) throw new NetworkError(`network configuration ${location} cannot be read: there is no such file`);
  const config = parseConfig(location, text);
  const genesis = await readGenesis(location, beside, config);
  const slotSeconds = config.SECONDS_PER_SLOT ?? (config.SLOT_DURATION_MS ?? 12_000) / 1_000;
  const parameters: ChainParameters = {
    ...config,
    SECONDS_PER_SLOT: slotSeconds,
    ELECTRA_FORK_EPOCH: config.ELECTRA_FORK_EPOCH ?? 0,
  };
  return networkFrom(parameters, {
    name: name ?? config.CONFIG_NAME ?? basename(dirname(location)),
    isPublic: true,
    genesis,
    bootnodes: await readBootnodes(beside),
    activeValidators,
  });
}

type Config = z.output<typeof chainConfig>;

function parseConfig(location: string, bytes: Uint8Array): Config {
  let yaml: unknown;
  try {
    yaml = parseYaml(new TextDecoder().decode(bytes), { intAsBigInt: false });
  } catch (error) {
    throw new NetworkError(
      `network configuration ${location} is not YAML (${error instanceof Error ? error.message.split('\n')[0] : ''})`,
    );
  }
  const parsed = chainConfig.safeParse(yaml);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new NetworkError(`network configuration ${location} is not valid: ${issue?.path.join('.')}: ${issue?.message}`);
}

async function readGenesis(location: string, beside: ReadBeside, config: Config): Promise<Genesis> {
  const state = await beside('genesis.ssz', GENESIS_BYTES);
  const genesisTimeSec =
    state?.length === GENESIS_BYTES ? Number(new DataView(state.buffer, state.byteOffset).getBigUint64(0, true)) : 0;
  // A Git LFS pointer in place of the state begins with a text, which is no time.
  if (state !== null && genesisTimeSec > 0 && genesisTimeSec < LATEST_GENESIS_SEC) {
    return { genesisTimeMs: genesisTimeSec * 1_000, genesisValidatorsRoot: toHex(state.subarray(8, GENESIS_BYTES)) };
  }
  const text = await beside('genesis_validators_root.txt', MAX_TEXT_BYTES);
  const root = text && fromHex(new TextDecoder().decode(text).trim());
  if (root?.length === 32 && config.MIN_GENESIS_TIME !== undefined) {
    return {
      genesisTimeMs: (config.MIN_GENESIS_TIME + config.GENESIS_DELAY) * 1_000,
      genesisValidatorsRoot: toHex(root),
    };
  }
  throw new NetworkError(
    `network configuration ${location} needs genesis.ssz or genesis_validators_root.txt beside it`,
  );
}

async function readBootnodes(beside: ReadBeside): Promise<string[]> {
  for (const file of BOOTNODE_FILES) {
    const text = await beside(file, MAX_TEXT_BYTES);
    const records = text === null ? null : new TextDecoder().decode(text).match(/enr:[A-Za-z0-9_-]+/g);
    if (records !== null) return [...new Set(records)];
  }
  return [];
}

function fileNameOf(location: string): string {
  return isUrl(location) ? (new URL(location).pathname.split('/').at(-1) ?? '') : basename(location);
}

function isUrl(location: string): boolean {
  return /^https?:\/\//.test(location);
}

function readerBeside(location: string): ReadBeside {
  return isUrl(location)
    ? (name, maxBytes) => fetchBytes(new URL(name, location), maxBytes)
    : (name, maxBytes) => readBytes(join(dirname(location), name), maxBytes);
}

async function readBytes(path: string, maxBytes: number): Promise<Uint8Array | null> {
  try {
    await using file = await open(path, 'r');
    const { buffer, bytesRead } = await file.read(Buffer.alloc(maxBytes), 0, maxBytes, 0);
    return new Uint8Array(buffer.subarray(0, bytesRead));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw new NetworkError(`${path} cannot be read (${code ?? String(error)})`);
  }
}

/** The first `maxBytes` of the answer; the rest is not awaited: a genesis state is hundreds of megabytes. */
async function fetchBytes(address: URL, maxBytes: number): Promise<Uint8Array | null> {
  const controller = new AbortController();
  const signal = AbortSignal.any([controller.signal, AbortSignal.timeout(FETCH_TIMEOUT_MS)]);
  try {
    const response = await fetch(address, { signal, headers: { Range: `bytes=0-${maxBytes - 1}` } });
    if (response.status === 404 || response.body === null) return null;
    if (!response.ok) throw new NetworkError(`${address} answered ${response.status}`);
    const chunks: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of response.body) {
      chunks.push(chunk);
      length += chunk.length;
      if (length >= maxBytes) break;
    }
    return new Uint8Array(Buffer.concat(chunks).subarray(0, maxBytes));
  } catch (error) {
    if (error instanceof NetworkError) throw error;
    throw new NetworkError(`${address} cannot be fetched (${error instanceof Error ? error.message : String(error)})`);
  } finally {
    controller.abort();
  }
}
