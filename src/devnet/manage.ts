import type { Discv5 } from '@chainsafe/discv5';
import type { ENR } from '@chainsafe/enr';
import type { IdentifyResult } from '@libp2p/interface';
import { interval, type Subscription } from 'rxjs';
import { type Circumstance, roomAt } from './circumstances.ts';
import { rulesOf } from './clients/all.ts';
import type { Libp2pHost } from './libp2p.ts';
import type { Self } from './methods.ts';
import { PeerManager } from './peer-manager.ts';
import type { Problem } from './peers.ts';
import type { Penalty } from './penalties.ts';
import { seededRandom } from './random.ts';
import { keepDialling, type Redialling } from './redial.ts';
import { type ForkSchedule, forkDigest, forkEntries } from './schedule.ts';
import { serveMethods } from './serving.ts';
import { digestOf, nextForkVersionOf, strangersIn } from './strangers.ts';
import type { NodeTruth } from './truth.ts';

export interface ManageOptions {
  readonly truth: NodeTruth;
  readonly circumstance: Circumstance;
  readonly host: Libp2pHost;
  readonly discovery: Discv5;
  readonly self: Self;
  readonly schedule: ForkSchedule;
  readonly epoch: () => number;
  readonly isStranger: (nodeId: string) => boolean;
  /** By how much the times of quotas are shorter than in the world, at most 1. */
  readonly quotaPace: number;
  /** By how much the pauses between connections are. */
  readonly pausePace: number;
  readonly bansAddresses: boolean;
  readonly onPenalty: (penalty: Penalty) => void;
  readonly onProblem: (problem: Problem) => void;
}

/** Serves, dials and judges peers as the node's client does. Resolves with what ends it. */
export async function managePeers(options: ManageOptions): Promise<() => void> {
  const { truth, circumstance, host, self, onPenalty, onProblem } = options;
  const stopping = new AbortController();
  const rules = rulesOf(truth, options);
  const random = seededRandom('conduct', truth.seed, truth.index);
  const room = () => roomAt(circumstance, truth.index, Date.now());
  const { client, peerId: node } = truth;
  let redialling: Redialling | null = null;
  const manager = new PeerManager({
    ...options,
    rules,
    random,
    room,
    signal: stopping.signal,
    onPenalty: (penalty) => onPenalty({ at_ms: Date.now(), node, client, ...penalty }),
    onPeerGone: (peerId) => redialling?.lost(peerId),
  });

  const unlisten = listen(host, manager, truth.behaviour === 'too-many-peers');
  const { profile, serving } = manager;
  await serveMethods({
    libp2p: host.libp2p,
    behaviour: truth.behaviour,
    profile,
    self,
    signal: stopping.signal,
    host: serving,
  });
  const heartbeat: Subscription = interval(rules.pace.heartbeatMs).subscribe(() => manager.heartbeat(Date.now()));
  redialling = keepDialling({
    libp2p: host.libp2p,
    discovery: options.discovery,
    strangers: strangersIn({ ...options, suits: suitorsOf(options) }),
    rules,
    random,
    wantsPeers: () => room() === 'wants-peers' && truth.behaviour === 'honest',
    onDialled: (peerId, address, error) => {
      const sighting = { type: error === null ? 'dial-succeeded' : 'dial-failed' } as const;
      manager.see({ peerId, ip: address.toOptions().host }, sighting);
    },
    onFailure: (during, error) => onProblem({ peerId: node, during, error }),
  });

  return () => {
    stopping.abort(new Error('the node is stopping'));
    heartbeat.unsubscribe();
    redialling?.stop();
    unlisten();
    manager.stop();
  };
}

/** Which records the client dials: those of its fork, and of the next one too where it is Prysm (`p2p/fork.go`, compareForkENR). */
function suitorsOf({ truth, schedule, epoch }: ManageOptions): (record: ENR) => boolean {
  return (record) => {
    if (digestOf(record) !== forkDigest(schedule, epoch())) return false;
    if (truth.client !== 'Prysm') return true;
    return nextForkVersionOf(record) === Buffer.from(forkEntries(schedule, epoch()).eth2).toString('hex', 4, 8);
  };
}

function listen({ libp2p, pubsub }: Libp2pHost, manager: PeerManager, turnsAway: boolean): () => void {
  const { onOpen, onClose } = manager;
  const onSubscribed = ({ detail: { peerId } }: CustomEvent<{ peerId: { toString(): string } }>) =>
    manager.onSubscribed(peerId.toString());
  const onIdentified = ({ detail: { peerId } }: CustomEvent<IdentifyResult>) => {
    if (turnsAway) manager.turnAway(peerId.toString());
  };
  libp2p.addEventListener('connection:open', onOpen);
  libp2p.addEventListener('peer:identify', onIdentified);
  libp2p.addEventListener('connection:close', onClose);
  pubsub?.addEventListener('subscription-change', onSubscribed);
  return () => {
    libp2p.removeEventListener('connection:open', onOpen);
    libp2p.removeEventListener('peer:identify', onIdentified);
    libp2p.removeEventListener('connection:close', onClose);
    pubsub?.removeEventListener('subscription-change', onSubscribed);
  };
}
