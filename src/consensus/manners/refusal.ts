import type { Client } from '../client.ts';

/**
 * How a request for what we do not have is refused: by a result code with a message, or, `null`, by a reset of its stream
 * once the request has been read. What is not spoken at all is a ban at Caplin, and -10 at Lodestar.
 */
export type Refusal = number | null;

/** "Resource unavailable", phase0/p2p-interface.md. */
const RESOURCE_UNAVAILABLE = 3;
/** A code that nobody has defined, which Lighthouse and Grandine take for a small fault of the answer. */
const UNDEFINED = 4;
/** What by root may honestly be missing: Lighthouse peer_manager/mod.rs `handle_rpc_error`, ResourceUnavailable. */
const MAY_BE_MISSING = /\/(blob_sidecars|data_column_sidecars)_by_root\//;

/**
 * The refusal that costs least at the client that asks.
 *
 * - Lighthouse 8.0.1 lighthouse_network/src/peer_manager/mod.rs and Grandine's eth2_libp2p: code 3 to a request for blocks is a
 *   ban, for blobs and columns by root it is nothing; a code without a meaning is -1; a reset is an empty answer on yamux.
 * - Lodestar network/reqresp/score.ts, Prysm sync/initial-sync/blocks_fetcher.go, Teku SyncSourceBatch.java, Caplin
 *   sentinel/service: nothing for code 3.
 * - Nimbus networking/eth2_network.nim: code 3 is the one that it foresees.
 */
export function refusalFor(client: Client, protocol: string): Refusal {
  switch (client) {
    case 'unknown':
      return null;
    case 'Lighthouse':
    case 'Grandine':
      return MAY_BE_MISSING.test(protocol) ? RESOURCE_UNAVAILABLE : UNDEFINED;
    default:
      return RESOURCE_UNAVAILABLE;
  }
}
