import type { Status } from '../../../src/consensus/containers.ts';

/**
 * What clients make of a Status, written from their sources and not from ours. Only what concerns a peer that has no chain is
 * here: whether it is turned out, synced from, or asked for a block.
 */
export type Verdict = 'nothing' | 'syncs from us' | 'asks for our head' | 'bans us';

/** What a node knows of its chain. */
export interface ChainState {
  readonly currentSlot: number;
  readonly slotsPerEpoch: number;
  readonly own: Status;
  /** Blocks that it can name: root by slot. Slot 0 is among them where it has the whole history. */
  readonly blocks: ReadonlyMap<number, string>;
}

const ZERO_ROOT = '00'.repeat(32);
/** SLOT_IMPORT_TOLERANCE of Lighthouse, slotImportTolerance of Lodestar. */
const TOLERANCE_SLOTS = 32;

const knows = ({ blocks }: ChainState, root: string) => [...blocks.values()].includes(root);

/** Lighthouse sync/peer_sync_info.rs `remote_sync_type`; Lodestar sync/utils/remoteSyncType.ts has the same. */
function syncType(state: ChainState, said: Status): 'behind' | 'synced' | 'advanced' {
  const { own } = state;
  if (said.finalizedEpoch < own.finalizedEpoch) return 'behind';
  if (said.finalizedEpoch > own.finalizedEpoch) return knows(state, said.headRoot) ? 'synced' : 'advanced';
  if (said.headSlot < own.headSlot - TOLERANCE_SLOTS) return 'behind';
  return said.headSlot > own.headSlot + TOLERANCE_SLOTS && !knows(state, said.headRoot) ? 'advanced' : 'synced';
}

/** Lighthouse network_beacon_processor/rpc_methods.rs `check_peer_relevance`: a zero root on either side is excused. */
function isRelevantToLighthouse({ own, blocks, currentSlot, slotsPerEpoch }: ChainState, said: Status): boolean {
  if (said.forkDigest !== own.forkDigest || said.headSlot > currentSlot + 1) return false;
  if (said.finalizedEpoch > own.finalizedEpoch) return true;
  if (said.finalizedRoot === ZERO_ROOT || own.finalizedRoot === ZERO_ROOT) return true;
  return blocks.get(said.finalizedEpoch * slotsPerEpoch) === said.finalizedRoot;
}

/** sync/manager.rs `add_peer`: who is level with it and has a head that it lacks is asked for that. */
export function lighthouse(state: ChainState, said: Status): Verdict {
  if (!isRelevantToLighthouse(state, said)) return 'bans us';
  const type = syncType(state, said);
  if (type === 'advanced') return 'syncs from us';
  return type === 'synced' && !knows(state, said.headRoot) ? 'asks for our head' : 'nothing';
}

/** p2p/src/network.rs `check_status`: as Lighthouse, but a root at a slot that it has must be that one, zero or not. */
export function grandine(state: ChainState, said: Status): Verdict {
  const { own, blocks, slotsPerEpoch } = state;
  const has = blocks.get(said.finalizedEpoch * slotsPerEpoch);
  const isOlder = said.finalizedEpoch < own.finalizedEpoch;
  if (isOlder && has !== undefined && has !== said.finalizedRoot) return 'bans us';
  return lighthouse(state, isOlder ? { ...said, finalizedRoot: ZERO_ROOT } : said);
}

/** network/peers/utils/assertPeerRelevance.ts; sync/sync.ts acts on `Advanced` alone. */
export function lodestar(state: ChainState, said: Status): Verdict {
  const { own } = state;
  const hasBoth = said.finalizedRoot !== ZERO_ROOT && own.finalizedRoot !== ZERO_ROOT;
  const differs = said.finalizedEpoch === own.finalizedEpoch && said.finalizedRoot !== own.finalizedRoot;
  if (said.forkDigest !== own.forkDigest || said.headSlot > state.currentSlot + 1) return 'bans us';
  if (hasBoth && differs) return 'bans us';
  return syncType(state, said) === 'advanced' ? 'syncs from us' : 'nothing';
}

/** sync/rpc_status.go `validateStatusMessage`, and p2p/peers/status.go `BestFinalized`. */
export function prysm({ own, blocks, currentSlot, slotsPerEpoch }: ChainState, said: Status): Verdict {
  if (said.forkDigest !== own.forkDigest || said.headSlot > currentSlot + 1) return 'bans us';
  if (said.finalizedEpoch === 0) return 'nothing';
  if (said.finalizedEpoch > currentSlot / slotsPerEpoch - 2) return 'bans us';
  const has = blocks.get(said.finalizedEpoch * slotsPerEpoch);
  if (said.finalizedEpoch <= own.finalizedEpoch && has !== said.finalizedRoot) return 'bans us';
  return said.finalizedEpoch >= own.finalizedEpoch ? 'syncs from us' : 'nothing';
}

/** networking/eth2/peers/PeerChainValidator.java: who is ahead must serve the block that it has finalized itself. */
export function teku({ own, blocks, currentSlot, slotsPerEpoch }: ChainState, said: Status): Verdict {
  if (said.forkDigest !== own.forkDigest) return 'bans us';
  if (said.finalizedEpoch === 0) return said.headSlot > own.headSlot ? 'syncs from us' : 'nothing';
  if (said.finalizedEpoch >= Math.floor(currentSlot / slotsPerEpoch)) return 'bans us';
  if (said.finalizedEpoch > own.finalizedEpoch) return 'bans us';
  return blocks.get(said.finalizedEpoch * slotsPerEpoch) === said.finalizedRoot ? 'nothing' : 'bans us';
}

/** sync/sync_overseer2.nim `updatePeerStatus` of 2026: a head that it does not have is asked for by root. */
export function nimbus(state: ChainState, said: Status): Verdict {
  if (said.forkDigest !== state.own.forkDigest || said.headSlot > state.currentSlot) return 'bans us';
  if (!knows(state, said.headRoot)) return 'asks for our head';
  return said.finalizedEpoch > state.own.finalizedEpoch ? 'syncs from us' : 'nothing';
}

/** cl/sentinel/handshake/handshake.go `ValidatePeer`. */
export function caplin({ own }: ChainState, said: Status): Verdict {
  return said.forkDigest === own.forkDigest ? 'nothing' : 'bans us';
}
