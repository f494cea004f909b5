import { type Observable, Subject } from 'rxjs';
import type { PeerEffect, PeerMessage, PeerState } from '../../actors/peer.ts';
import { createRegistry, type Registry } from '../../actors/registry.ts';
import type { NetworkClock } from '../../consensus/clock.ts';

/** Delivers a message to a peer; gives the effects that it has. */
export type Send = (peerId: string, message: PeerMessage) => readonly PeerEffect[];

/** The registry as visits use it: what a peer asks for is the answer to the message. */
export interface Peers {
  readonly registry: Registry;
  readonly send: Send;
  /** Emits when a peer may have become due earlier than the registry said. */
  readonly wake$: Observable<void>;
}

export interface PeersOptions {
  readonly clock: NetworkClock;
  readonly maxPeers: number;
  /** Peers of an earlier run. */
  readonly restored: Iterable<PeerState>;
}

export function createPeers(options: PeersOptions): Peers {
  const wake = new Subject<void>();
  /** Effects of the message being delivered; delivery is synchronous. */
  let effects: PeerEffect[] = [];
  const registry = createRegistry({
    ...options,
    perform: (effect) => effects.push(effect),
    onWake: () => wake.next(),
  });

  return {
    registry,
    wake$: wake.asObservable(),
    send(peerId, message) {
      effects = [];
      registry.send(peerId, message);
      return effects;
    },
  };
}
