import { sha256, uint64 } from './bytes.ts';

/** When a network changes its fork digest, and what the digest is (fulu/beacon-chain.md, compute_fork_digest). */

export interface Fork {
  readonly name: string;
  readonly epoch: number;
  /** 4 bytes of hex, no prefix. */
  readonly version: string;
}

export interface BlobParameters {
  readonly epoch: number;
  readonly max_blobs: number;
}

export interface ForkSchedule {
  /** 32 bytes of hex, no prefix. */
  readonly genesisValidatorsRoot: string;
  /** Ascending by epoch; of several at one epoch the last is in force. */
  readonly forks: readonly Fork[];
  /** Ascending by epoch. */
  readonly blobSchedule: readonly BlobParameters[];
}

const FAR_FUTURE_EPOCH = 2n ** 64n - 1n;
/** electra, MAX_BLOBS_PER_BLOCK_ELECTRA: in force until the first entry of the blob schedule. */
const MAX_BLOBS_ELECTRA = 9;
const NO_DIGEST = '00000000';

const FORK_NAMES = ['phase0', 'altair', 'bellatrix', 'capella', 'deneb', 'electra', 'fulu'] as const;
/** Last bytes of the devnet's fork versions, so that they are no public network's. */
const VERSION_SUFFIX = '00da7a';

/** A devnet that has been on Fulu with one blob-parameter entry since genesis. */
export function fuluSchedule(seed: number): ForkSchedule {
  return {
    genesisValidatorsRoot: sha256(Buffer.from(`valtrack devnet ${seed}`)).toString('hex'),
    forks: FORK_NAMES.map((name, index) => ({ name, epoch: 0, version: `0${index}${VERSION_SUFFIX}` })),
    blobSchedule: [{ epoch: 0, max_blobs: 15 }],
  };
}

/** Another network with the same forks at the same epochs. */
export function foreignSchedule(schedule: ForkSchedule): ForkSchedule {
  const genesisValidatorsRoot = sha256(Buffer.from(schedule.genesisValidatorsRoot, 'hex')).toString('hex');
  return { ...schedule, genesisValidatorsRoot };
}

/** A fork and a change of blob parameters alone, each at its epoch. */
export interface ForkPlan {
  readonly regularAtEpoch?: number;
  readonly blobAtEpoch?: number;
}

const NEXT_FORK_NAME = 'gloas';
const NEXT_MAX_BLOBS = 21;

/** The schedule with the planned changes after all that it has. */
export function withForks(schedule: ForkSchedule, { regularAtEpoch, blobAtEpoch }: ForkPlan): ForkSchedule {
  const version = `0${FORK_NAMES.length}${VERSION_SUFFIX}`;
  return {
    ...schedule,
    forks: [
      ...schedule.forks,
      ...(regularAtEpoch === undefined ? [] : [{ name: NEXT_FORK_NAME, epoch: regularAtEpoch, version }]),
    ],
    blobSchedule: [
      ...schedule.blobSchedule,
      ...(blobAtEpoch === undefined ? [] : [{ epoch: blobAtEpoch, max_blobs: NEXT_MAX_BLOBS }]),
    ],
  };
}

/** The fork digest in force at `epoch`, 4 bytes of hex. */
export function forkDigest(schedule: ForkSchedule, epoch: number): string {
  const version = Buffer.from(forkAt(schedule, epoch).version, 'hex');
  const root = Buffer.from(schedule.genesisValidatorsRoot, 'hex');
  const base = sha256(Buffer.concat([version, Buffer.alloc(28), root]));
  if (epoch < epochOf(schedule, 'fulu')) return base.toString('hex', 0, 4);

  const blobs = blobParametersAt(schedule, epoch);
  const mask = sha256(Buffer.concat([uint64(BigInt(blobs.epoch)), uint64(BigInt(blobs.max_blobs))]));
  const digest = base.subarray(0, 4).map((byte, index) => byte ^ (mask[index] ?? 0));
  return Buffer.from(digest).toString('hex');
}

/** The next epoch after `epoch` at which the digest changes, through a fork or through blob parameters only. */
export function nextDigestEpoch(schedule: ForkSchedule, epoch: number): number | undefined {
  const blobEpochs = schedule.blobSchedule.map((entry) => entry.epoch).filter((at) => at >= epochOf(schedule, 'fulu'));
  const later = [...schedule.forks.map((fork) => fork.epoch), ...blobEpochs].filter((at) => at > epoch);
  return later.length === 0 ? undefined : Math.min(...later);
}

/** The ENR's `eth2` and `nfd` values at `epoch` (phase0 and fulu p2p-interface.md, "ENR structure"). */
export function forkEntries(schedule: ForkSchedule, epoch: number): { eth2: Uint8Array; nfd: Uint8Array } {
  const nextFork = schedule.forks.find((fork) => fork.epoch > epoch);
  const nextVersion = (nextFork ?? forkAt(schedule, epoch)).version;
  const nextEpoch = nextDigestEpoch(schedule, epoch);
  const nextDigest = nextEpoch === undefined ? NO_DIGEST : forkDigest(schedule, nextEpoch);
  const epochBytes = uint64(nextEpoch === undefined ? FAR_FUTURE_EPOCH : BigInt(nextEpoch));
  return {
    eth2: new Uint8Array(Buffer.concat([Buffer.from(forkDigest(schedule, epoch) + nextVersion, 'hex'), epochBytes])),
    nfd: new Uint8Array(Buffer.from(nextDigest, 'hex')),
  };
}

/**
 * The digests whose topics a node is subscribed to at `epoch`: around a change nodes are in both the old and the new
 * ones, for an epoch on either side.
 */
export function topicDigests(schedule: ForkSchedule, epoch: number): string[] {
  return [...new Set([epoch - 1, epoch, epoch + 1].map((at) => forkDigest(schedule, at)))];
}

function forkAt({ forks }: ForkSchedule, epoch: number): Fork {
  const fork = forks.findLast((candidate) => candidate.epoch <= epoch) ?? forks[0];
  if (fork === undefined) throw new Error('a fork schedule needs at least one fork');
  return fork;
}

function blobParametersAt(schedule: ForkSchedule, epoch: number): BlobParameters {
  const entry = schedule.blobSchedule.findLast((candidate) => candidate.epoch <= epoch);
  return entry ?? { epoch: epochOf(schedule, 'electra'), max_blobs: MAX_BLOBS_ELECTRA };
}

function epochOf({ forks }: ForkSchedule, name: string): number {
  return forks.find((fork) => fork.name === name)?.epoch ?? Number.POSITIVE_INFINITY;
}
