import type { Client } from '../client.ts';

/** With which Goodbye a connection is left, if with any (phase0/p2p-interface.md "Goodbye", and the codes that clients add). */

/** Why a connection is left. `unheard`: nothing was said on it of gossip topics. */
export const LEAVINGS = ['visited', 'unheard', 'declined', 'no-room', 'foreign-fork', 'given-up', 'stopping'] as const;
export type Leaving = (typeof LEAVINGS)[number];

export const GOODBYE = { clientShutdown: 1n, tooManyPeers: 129n } as const;

export interface Left {
  readonly client: Client;
  /** Whether we can dial it: then it need not dial us. */
  readonly isDialable: boolean;
}

/**
 * The Goodbye that keeps a client from dialling again at once, and no other: each one counts against a quota, a cut one is
 * a bad answer, and what it says is held against us for hours by some. So the reason for leaving is told to nobody; 2
 * (irrelevant network) and 128 would keep Teku and Prysm away for half a day and a day.
 *
 * - Prysm, beacon-chain/sync/rpc_goodbye.go backOffTime: after 1 it dials again in an hour, after 129 in five minutes.
 *   Whom we can dial need not come; behind NAT it must, and soon.
 * - Teku, DefaultReputationManager.java: after 1 or 129 it dials again in two minutes.
 * - The others forget it: Lighthouse and Grandine, Lodestar, Nimbus, Caplin.
 */
export function goodbyeOf({ client, isDialable }: Left): bigint | null {
  switch (client) {
    case 'Prysm':
      return isDialable ? GOODBYE.clientShutdown : GOODBYE.tooManyPeers;
    case 'Teku':
      return GOODBYE.clientShutdown;
    default:
      return null;
  }
}
