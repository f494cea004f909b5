import { getV4Crypto } from '@chainsafe/enr';
import { privateKeyFromRaw } from '@libp2p/crypto/keys';
import type { PrivateKey } from '@libp2p/interface';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { epochsUntilRotation } from './assignment.ts';
import { sha256 } from './bytes.ts';
import { type Circumstance, drawCircumstance } from './circumstances.ts';
import { CLIENT_NAMES, CLIENTS, type ClientName } from './clients.ts';
import type { DutyHolder } from './duties.ts';
import { type Kind, mixedKinds, plainKinds, type Trait } from './kinds.ts';
import { drawPlace, type Place } from './places.ts';
import { apportion, integerBetween, logUniform, type Random, seededRandom, shuffled } from './random.ts';

/** What is true of the simulated nodes: a pure function of the seed, known before any of them runs. */

export interface NodeTruth extends DutyHolder, Kind {
  readonly client: ClientName;
  readonly agent: string;
  readonly privateKey: PrivateKey;
  readonly peerId: string;
  /** 32 bytes of hex. */
  readonly nodeId: string;
  readonly stakeEth: number;
  readonly custodyGroupCount: number;
  readonly place: Place;
  readonly circumstance: Circumstance;
}

export interface TruthOptions {
  readonly nodes: number;
  readonly seed: number;
  readonly activeValidators: number;
  /** The epoch at which the devnet begins. */
  readonly firstEpoch: number;
  /** Whether there are nodes of every kind, faulty ones among them, or only honest and plain ones. */
  readonly mixed?: boolean;
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
const SEMI_SUPERNODE_GROUP_COUNT = 64;
const CUSTODY_GROUP_COUNT = 128;

/** Draws every node. Clients and sizes are stratified, so that even a small devnet has its share of each. */
export function drawTruth({ nodes, seed, activeValidators, firstEpoch, mixed = false }: TruthOptions): NodeTruth[] {
  const clients = drawClients(nodes, seed);
  const sizes = drawSizes(nodes, seed);
  const kinds = mixed ? mixedKinds(clients, seed) : plainKinds(clients);
  return kinds.map((kind, index) => {
    const random = seededRandom('node', seed, index);
    const client = kind.traits.includes('caplin') ? 'Caplin' : (clients[index] as ClientName);
    const validators = sizes[index] ?? 0;
    const stakeEth = drawStake(random, validators);
    const { agents } = CLIENTS[client];
    const agent = agents[integerBetween(random, 0, agents.length - 1)] ?? client;
    const external = drawExternalValidatorClient(random, client, validators);
    const traits: readonly Trait[] = external ? [...kind.traits, 'external-validator-client'] : kind.traits;
    return {
      ...drawIdentity(seed, index, firstEpoch),
      ...kind,
      traits,
      seed,
      index,
      client,
      agent,
      validators,
      activeValidators,
      stakeEth,
      custodyGroupCount: custodyGroupCount(traits, stakeEth),
      place: drawPlace(random, kind.reach),
      circumstance: mixed ? drawCircumstance({ ...kind, seed, index }) : 'roomy',
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

/** Nimbus does not count the validators of an external client. */
function drawExternalValidatorClient(random: Random, client: ClientName, validators: number): boolean {
  const external = random() < EXTERNAL_VALIDATOR_CLIENT_SHARE;
  return external && client === 'Nimbus' && validators > 0;
}

/** get_validators_custody_requirement (fulu/validator.md), unless the operator or the program wants it otherwise. */
function custodyGroupCount(traits: readonly Trait[], stakeEth: number): number {
  if (traits.includes('caplin')) return 0;
  if (traits.includes('supernode')) return CUSTODY_GROUP_COUNT;
  const byStake = Math.min(
    Math.max(Math.floor(stakeEth / MIN_BALANCE_ETH), VALIDATOR_CUSTODY_REQUIREMENT),
    CUSTODY_GROUP_COUNT,
  );
  if (traits.includes('semi-supernode')) return Math.max(byStake, SEMI_SUPERNODE_GROUP_COUNT);
  return stakeEth === 0 || traits.includes('external-validator-client') ? CUSTODY_REQUIREMENT : byStake;
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
