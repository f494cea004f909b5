import { EventEmitter } from 'node:events';
import type { Discv5 } from '@chainsafe/discv5';
import type { ENR } from '@chainsafe/enr';
import type { Libp2p } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import { EMPTY, exhaustMap, from, interval, mergeMap, Subject, Subscription, timer } from 'rxjs';
import type { Rules } from './clients/rules.ts';
import type { Random } from './random.ts';
import type { Strangers } from './strangers.ts';

export interface RedialOptions {
  readonly libp2p: Libp2p;
  readonly discovery: Discv5;
  readonly strangers: Strangers;
  readonly rules: Rules;
  readonly random: Random;
  readonly wantsPeers: () => boolean;
  readonly onDialled: (peerId: string, address: Multiaddr, error: unknown) => void;
  readonly onFailure: (during: string, error: unknown) => void;
}

export interface Redialling {
  /** Dials a peer soon that gossip has lost, as Prysm's does now and then whatever its peer manager thinks. */
  lost(peerId: string): void;
  stop(): void;
}

/** How soon a node that knows of nobody asks its neighbours again. */
const LOOK_MS = 1_000;
/** A dial that has not succeeded by then has failed; Lighthouse has 15 s, go-libp2p 5 s or more. */
const DIAL_TIMEOUT_MS = 10_000;

/** Dials those whom a node has heard of, at its client's pace, as long as it wants peers and its rules let it. */
export function keepDialling(options: RedialOptions): Redialling {
  const { libp2p, discovery, strangers, rules, random, wantsPeers, onDialled, onFailure } = options;
  const { dialMs, dialsAtOnce, gossipRedial } = rules.pace;
  const asked = new Subject<void>();
  const lost = new Subject<string>();
  const activity = new Subscription();

  const isConnected = (record: ENR) => libp2p.getConnections(record.peerId).length > 0;
  /** Whom the last dial has not reached. A node that has heard only of such goes on looking. */
  const missed = new Set<string>();
  const dial = async (record: ENR) => {
    const address = addressOf(record, libp2p);
    if (address === null || isConnected(record)) return;
    const peerId = record.peerId.toString();
    try {
      await libp2p.dial(address.encapsulate(`/p2p/${peerId}`), { signal: AbortSignal.timeout(DIAL_TIMEOUT_MS) });
      missed.delete(peerId);
      onDialled(peerId, address, null);
    } catch (error) {
      missed.add(peerId);
      onDialled(peerId, address, error);
    }
  };
  const step = async () => {
    if (!wantsPeers()) return;
    const nowMs = Date.now();
    const due = strangers.known().filter((record) => rules.mayDial(record.peerId.toString(), nowMs));
    for (const record of due) await dial(record);
  };
  const look = async () => {
    if (wantsPeers() && strangers.known().every(({ peerId }) => missed.has(peerId.toString()))) await strangers.look();
  };
  const quietly = (during: string, work: () => Promise<void>) => () =>
    from(work().catch((error: unknown) => onFailure(during, error)));

  activity.add(
    interval(LOOK_MS)
      .pipe(exhaustMap(quietly('looking for peers', look)))
      .subscribe(),
  );
  // Not all nodes at the same moments.
  activity.add(
    timer(random() * dialMs, dialMs)
      .pipe(exhaustMap(quietly('dialling', step)))
      .subscribe(),
  );
  if (dialsAtOnce) {
    activity.add(asked.pipe(exhaustMap(quietly('dialling', step))).subscribe());
    activity.add(hearRequests(discovery, () => asked.next()));
  }
  activity.add(
    lost
      .pipe(
        mergeMap((peerId) => {
          if (gossipRedial === null || random() >= gossipRedial.share) return EMPTY;
          const record = strangers.known().find((known) => known.peerId.toString() === peerId);
          if (record === undefined || rules.isBanned(peerId, Date.now())) return EMPTY;
          return timer(random() * gossipRedial.withinMs).pipe(mergeMap(quietly('dialling', () => dial(record))));
        }),
      )
      .subscribe(),
  );
  return { lost: (peerId) => lost.next(peerId), stop: () => activity.unsubscribe() };
}

/** Calls back whenever anybody asks the node anything in discv5, which is how a node hears of those who look for it. */
function hearRequests({ sessionService }: Discv5, onRequest: () => void): Subscription {
  if (!(sessionService instanceof EventEmitter)) throw new TypeError('this version of discv5 emits no events');
  sessionService.on('request', onRequest);
  return new Subscription(() => sessionService.off('request', onRequest));
}

/** QUIC before TCP, for those who have it. */
function addressOf(record: ENR, libp2p: Libp2p): Multiaddr | null {
  const speaksQuic = libp2p.getMultiaddrs().some((address) => address.toString().includes('/quic-v1'));
  const quic = speaksQuic ? record.getLocationMultiaddr('quic4') : undefined;
  return quic ?? record.getLocationMultiaddr('tcp4') ?? null;
}
