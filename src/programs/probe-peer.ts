import { peerIdFromString } from '@libp2p/peer-id';
import { multiaddr } from '@multiformats/multiaddr';
import { asyncScheduler, firstValueFrom, fromEvent, of, takeUntil } from 'rxjs';
import { networkClock } from '../consensus/clock.ts';
import { createOwnStatus } from '../consensus/manners/own-status.ts';
import { acceptedDigests, type Network } from '../consensus/network.ts';
import { decodeNodeRecord, multiaddrText } from '../consensus/node-record.ts';
import type { Logger } from '../io/logging/logger.ts';
import { startHost } from '../io/network/libp2p/host.ts';
import { OWN_METADATA } from '../io/network/own/own-record.ts';
import { dial } from '../streams/dial.ts';
import { through } from '../streams/flow/through.ts';
import { gossipProbe } from '../streams/gossip-probe.ts';
import { handshake } from '../streams/handshake.ts';
import type { DueVisit, Observation, VisitOutcome } from '../streams/visit.ts';
import type { ProbeState } from './probe-state.ts';

export interface ProbeTarget {
  readonly peerId: string;
  /** `null` when the peer was named by a multiaddr. */
  readonly enr: string | null;
  readonly addresses: readonly string[];
}

/** The text names no peer; the message says what is allowed. */
export class ProbeTargetError extends Error {
  override readonly name = 'ProbeTargetError';
}

/** A node record, or a multiaddr that ends in the peer id. @throws ProbeTargetError */
export function probeTarget(text: string): ProbeTarget {
  if (text.trim().startsWith('enr:')) {
    const decoded = decodeNodeRecord(text);
    if (!decoded.ok) throw new ProbeTargetError(decoded.failure.detail ?? 'not a valid ENR');
    const { peerId, enr, addresses } = decoded.value;
    return { peerId, enr, addresses: addresses.map(multiaddrText) };
  }
  const [address, peerId] = text.trim().split('/p2p/');
  try {
    if (address === undefined || peerId === undefined) throw new Error('no peer id');
    multiaddr(text.trim());
    peerIdFromString(peerId);
    return { peerId, enr: null, addresses: [address] };
  } catch {
    throw new ProbeTargetError(
      `"${text}" is neither an enr: record nor a multiaddr such as /ip4/192.0.2.1/tcp/9000/p2p/16Uiu2…`,
    );
  }
}

export interface ProbeOptions {
  readonly network: Network;
  readonly target: ProbeTarget;
  readonly agent: string;
  readonly listenIp: string;
  /** How long the subscriptions are watched from the hello on. */
  readonly dwellMs: number;
  /** Who probes are, and what they have asked. */
  readonly state: ProbeState;
  readonly logger: Logger;
  /** Ends the probe before its time; what it has begun is taken leave of all the same. */
  readonly signal: AbortSignal;
}

const TIMEOUT_MS = 10_000;
const ONE_VISIT = { concurrency: 1, maxWaiting: 0, timeoutMs: TIMEOUT_MS, scheduler: asyncScheduler } as const;

/**
 * Observes one peer once, with the stages that the crawler uses, under the identity of all probes.
 * @throws the reason of `signal`, once the peer has been left and what it was asked is remembered
 */
export async function probePeer(options: ProbeOptions): Promise<VisitOutcome<Observation>> {
  const { network, target, agent, listenIp, dwellMs, state, logger, signal } = options;
  const clock = networkClock(network);
  const acceptedNow = () => acceptedDigests(network, clock.epochAt(Date.now()));
  const own = createOwnStatus(network, clock);
  const host = await startHost({
    privateKey: state.privateKey,
    listen: [`/ip${listenIp.includes(':') ? 6 : 4}/${listenIp}/tcp/0`],
    agent,
    maxConnections: 4,
    ownStatus: own.tell,
    ownMetaData: () => OWN_METADATA,
    onStatus: (peerId, status) => own.heard(peerId, status, Date.now()),
    ledger: state.ledger,
    logger,
  });
  try {
    const visit: DueVisit = { ...target, lease: 0 };
    const handshakes = handshake({
      ...ONE_VISIT,
      ownStatus: (peerId, client) => own.tell(peerId, client, Date.now()),
      knowsHead: (peerId) => own.knows(peerId, Date.now()),
      acceptedDigests: acceptedNow,
    });
    const outcome$ = of(visit).pipe(
      dial(host, ONE_VISIT),
      through(handshakes),
      through(gossipProbe({ ...ONE_VISIT, settleMs: dwellMs, dwellMs, acceptedDigests: acceptedNow })),
    );
    const aborted$ = signal.aborted ? of(null) : fromEvent(signal, 'abort');
    const outcome = await firstValueFrom(outcome$.pipe(takeUntil(aborted$)), { defaultValue: null });
    signal.throwIfAborted();
    if (outcome === null) throw new Error('a probe ended without an outcome');
    return outcome;
  } finally {
    await host.stop();
    await state.remember().catch((error: unknown) => logger.warn({ err: error }, 'what was asked could not be kept'));
  }
}
