import { getV4Crypto } from '@chainsafe/enr';
import { privateKeyFromRaw } from '@libp2p/crypto/keys';
import type { PrivateKey } from '@libp2p/interface';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { epochsUntilRotation } from './assignment.ts';
import { sha256 } from './bytes.ts';
import { CLIENT_NAMES, CLIENTS, type ClientName } from './clients.ts';
import type { DutyHolder } from './duties.ts';
import { drawPlace, type Place } from './places.ts';
import { apportion, integerBetween, logUniform, type Random, seededRandom, shuffled } from './random.ts';

/** What is true of the simulated nodes: a pure function of the seed, known before any of them runs. */

export interface NodeTruth extends DutyHolder {
  readonly client: ClientName;
  readonly agent: string;
  readonly privateKey: PrivateKey;
  readonly peerId: string;
  /** 32 bytes of hex. */
  readonly nodeId: string;
  readonly stakeEth: number;
  readonly custodyGroupCount: number;
  readonly behaviour: 'honest';
  readonly place: Place;
}

export interface TruthOptions {
  readonly nodes: number;
  readonly seed: number;
  readonly activeValidators: number;
  /** The epoch at which the devnet begins. */
  readonly firstEpoch: number;
}

/** Long-lived subnets stay as they are for so many epochs, so that what was written at the start stays true in a run. */
export const STABLE_EPOCHS = 96;

/** Sizes as on mainnet: few validators behind most nodes, thousands behind some. Shares in percent of the nodes. */
const SIZE_STRATA = [
  { share: 25, low: 0, high: 0 },
  { share: 40, low: 1, high: 5 },
  { share: 17, low: 6, high: 60 },
  { share: 13, low: 100, high: 900 },
  { share: 5, low: 1000, high: 4000 },
] as const;

const COMPOUNDING_NODE_SHARE = 0.15;
const COMPOUNDING_VALIDATOR_SHARE = 0.5;
const MIN_BALANCE_ETH = 32;
const MAX_BALANCE_ETH = 2048;
const EXTERNAL_VALIDATOR_CLIENT_SHARE = 0.5;
const CUSTODY_REQUIREMENT = 4;
const VALIDATOR_CUSTODY_REQUIREMENT = 8;
const CUSTODY_GROUP_COUNT = 128;

/** Draws every node. Clients and sizes are stratified, so that even a small devnet has its share of each. */
export function drawTruth({ nodes, seed, activeValidators, firstEpoch }: TruthOptions): NodeTruth[] {
  const clients = drawClients(nodes, seed);
  const sizes = drawSizes(nodes, seed);
  return clients.map((client, index) => {
    const random = seededRandom('node', seed, index);
    const validators = sizes[index] ?? 0;
    const stakeEth = drawStake(random, validators);
    const { agents } = CLIENTS[client];
    return {
      ...drawIdentity(seed, index, firstEpoch),
      seed,
      index,
      client,
      agent: agents[integerBetween(random, 0, agents.length - 1)] ?? client,
      validators,
      activeValidators,
      stakeEth,
      custodyGroupCount: drawCustodyGroupCount(random, client, stakeEth),
      behaviour: 'honest',
      place: drawPlace(random),
    };
  });
}

function drawClients(nodes: number, seed: number): ClientName[] {
  const counts = apportion(
    nodes,
    CLIENT_NAMES.map((name) => CLIENTS[name].share),
  );
  const clients = CLIENT_NAMES.flatMap((name, index) => Array.from({ length: counts[index] ?? 0 }, () => name));
  return shuffled(seededRandom('clients', seed), clients);
}

function drawSizes(nodes: number, seed: number): number[] {
  const random = seededRandom('sizes', seed);
  const counts = apportion(
    nodes,
    SIZE_STRATA.map((stratum) => stratum.share),
  );
  const sizes = SIZE_STRATA.flatMap(({ low, high }, index) =>
    Array.from({ length: counts[index] ?? 0 }, () => (high === 0 ? 0 : logUniform(random, low, high))),
  );
  return shuffled(random, sizes);
}

/** 32 ETH a validator, except that some operators have merged theirs into compounding ones (EIP-7251). */
function drawStake(random: Random, validators: number): number {
  if (random() >= COMPOUNDING_NODE_SHARE) return validators * MIN_BALANCE_ETH;
  let stakeEth = 0;
  for (let validator = 0; validator < validators; validator++) {
    const compounding = random() < COMPOUNDING_VALIDATOR_SHARE;
    stakeEth += compounding ? logUniform(random, MIN_BALANCE_ETH, MAX_BALANCE_ETH) : MIN_BALANCE_ETH;
  }
  return stakeEth;
}

/** get_validators_custody_requirement (fulu/validator.md); Nimbus does not count an external client's validators. */
function drawCustodyGroupCount(random: Random, client: ClientName, stakeEth: number): number {
  const uncounted = random() < EXTERNAL_VALIDATOR_CLIENT_SHARE && client === 'Nimbus';
  if (stakeEth === 0 || uncounted) return CUSTODY_REQUIREMENT;
  const byStake = Math.floor(stakeEth / MIN_BALANCE_ETH);
  return Math.min(Math.max(byStake, VALIDATOR_CUSTODY_REQUIREMENT), CUSTODY_GROUP_COUNT);
}

/** A key whose long-lived subnets do not rotate during the first epochs; five in eight qualify. */
function drawIdentity(
  seed: number,
  index: number,
  firstEpoch: number,
): Pick<NodeTruth, 'privateKey' | 'peerId' | 'nodeId'> {
  for (let attempt = 0; ; attempt++) {
    const raw = new Uint8Array(sha256(Buffer.from(`valtrack devnet key|${seed}|${index}|${attempt}`)));
    const { nodeId: deriveNodeId, publicKey } = getV4Crypto();
    const nodeId = deriveNodeId(publicKey(raw));
    if (epochsUntilRotation(nodeId, firstEpoch) <= STABLE_EPOCHS) continue;
    const privateKey = privateKeyFromRaw(raw);
    return { privateKey, peerId: peerIdFromPrivateKey(privateKey).toString(), nodeId };
  }
}
