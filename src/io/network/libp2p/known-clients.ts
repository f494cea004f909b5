import { LRUCache } from 'lru-cache';
import { type Client, clientOf } from '../../../consensus/client.ts';

/** Which client a peer is, by what identify has said; what a peer may ask and is told depends on it. */
export interface KnownClients {
  note(peerId: string, agent: string): void;
  clientOf(peerId: string): Client;
}

/** More than there are nodes on mainnet. */
const MAX_PEERS = 30_000;

/** @param known what an earlier run or somebody else knows of a peer's agent; `null` for nothing */
export function knownClients(known: (peerId: string) => string | null): KnownClients {
  const clients = new LRUCache<string, Client>({ max: MAX_PEERS });
  return {
    note(peerId, agent) {
      clients.set(peerId, clientOf(agent));
    },
    clientOf: (peerId) => clients.get(peerId) ?? clientOf(known(peerId) ?? ''),
  };
}
