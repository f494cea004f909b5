import { type Actor, createActor } from './actor.ts';
import { isInFlight, type PeerEffect, type PeerMessage, type PeerState, peerTransition } from './peer.ts';
import type { PeerRecords } from './peer-records.ts';

/** The peers that have an actor: those in flight, and those that handle a message. All others are records. */
export interface LivePeers {
  has(peerId: string): boolean;
  /** The state of a peer that has an actor. */
  get(peerId: string): PeerState | undefined;
  /**
   * Delivers a message and writes the state that it leads to into the records. An effect may send to the same peer: such
   * a message is handled after the one in hand.
   *
   * @param peer as it is known; a peer that has an actor is what that says
   * @returns the state afterwards
   */
  deliver(peer: PeerState, message: PeerMessage): PeerState;
}

export interface LivePeersOptions {
  readonly records: Pick<PeerRecords, 'byId' | 'put' | 'drop'>;
  /** Carries out what peers ask for; `forget` is dealt with here. */
  readonly perform: (effect: PeerEffect, peer: PeerState) => void;
  /** Called when a peer may have become due earlier than before. */
  readonly onWake: () => void;
}

export function createLivePeers({ records, perform, onWake }: LivePeersOptions): LivePeers {
  const live = new Map<string, Actor<PeerState, PeerMessage>>();

  function onEffect(effect: PeerEffect, peer: PeerState): void {
    if (effect.type === 'forget') records.drop(peer.peerId);
    else perform(effect, peer);
  }

  function actorOf(peer: PeerState): Actor<PeerState, PeerMessage> {
    const inHand = live.get(peer.peerId);
    if (inHand !== undefined) return inHand;
    const actor = createActor(peer, peerTransition, onEffect);
    live.set(peer.peerId, actor);
    return actor;
  }

  /** Writes the state back, and lets the actor go when nothing is under way. */
  function settle(peer: PeerState): void {
    const isForgotten = peer.phase.name === 'forgotten';
    if (!isForgotten && records.byId.get(peer.peerId) !== peer && records.put(peer)) onWake();
    if (!isInFlight(peer)) live.delete(peer.peerId);
  }

  return {
    has: (peerId) => live.has(peerId),
    get: (peerId) => live.get(peerId)?.state,
    deliver(peer, message) {
      const actor = actorOf(peer);
      actor.send(message);
      const { state } = actor;
      settle(state);
      return state;
    },
  };
}
