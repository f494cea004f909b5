import { asyncScheduler, exhaustMap, interval, type SchedulerLike } from 'rxjs';
import { newPeer, type PeerState } from '../../actors/peer.ts';
import type { Registry } from '../../actors/registry.ts';
import type { Network } from '../../consensus/network.ts';
import { coversPeer, type OptOut } from '../../consensus/opt-out.ts';
import type { Logger } from '../../io/logging/logger.ts';
import { bindToNetwork } from '../../io/storage/sentry/network-binding.ts';
import { sqlitePeerStore } from '../../io/storage/sentry/peer-store.ts';
import type { SqliteDatabase } from '../../io/storage/sqlite/sqlite.ts';
import { retryForever } from '../../streams/flow/retry-forever.ts';
import type { PeerStore } from '../../streams/ports/peer-store.ts';
import { type Part, partOf } from '../part.ts';

/** The peers of `sentry.sqlite`. */
export interface KnownPeers {
  /** Those to begin with: none who asked to be left alone. */
  readonly restored: readonly PeerState[];
  readonly store: PeerStore;
}

/** @throws NetworkError when the folder belongs to another network */
export async function loadKnownPeers(database: SqliteDatabase, network: Network, optOut: OptOut): Promise<KnownPeers> {
  const store = sqlitePeerStore(database);
  const sameNetwork = await bindToNetwork(database, network);
  const known = await store.load();
  const declined = new Set(known.filter((peer) => coversPeer(optOut, peer)).map(({ peerId }) => peerId));
  if (declined.size > 0) await store.save([], [...declined]);
  const restored = known
    .filter(({ peerId }) => !declined.has(peerId))
    .map((peer) => (sameNetwork ? peer : strangerAgain(peer)));
  return { restored, store };
}

/** A peer of another network's clock: only who and where it is still means something. */
function strangerAgain(peer: PeerState): PeerState {
  return { ...newPeer(peer.peerId, peer.firstSeenMs), addresses: peer.addresses };
}

/** The agents of peers that were observed before; `null` for one whose agent nobody knows. */
export function agentsOf(peers: readonly PeerState[]): (peerId: string) => string | null {
  const agents = new Map(peers.map(({ peerId, agent }) => [peerId, agent]));
  return (peerId) => agents.get(peerId) ?? null;
}

type Changing = Pick<Registry, 'takeChanges' | 'returnChanges'>;

/** Writes what has changed. Rejects when it could not, and then those changes are there to be saved again. */
export async function saveChanges(store: Pick<PeerStore, 'save'>, registry: Changing): Promise<void> {
  const changes = registry.takeChanges();
  try {
    await store.save(changes.changed, changes.forgotten);
  } catch (error) {
    registry.returnChanges(changes);
    throw error;
  }
}

export interface SavingOptions {
  readonly store: Pick<PeerStore, 'save'>;
  /** The registry that runs; `null` while none does. */
  readonly registry: () => Changing | null;
  readonly onFailure: (error: unknown) => void;
  readonly scheduler?: SchedulerLike;
}

const SAVE_PEERS_MS = 2_000;

/** Saves what the registry has changed every two seconds. */
export function startSaving({ store, registry, onFailure, scheduler = asyncScheduler }: SavingOptions): Part {
  const saving = interval(SAVE_PEERS_MS, scheduler)
    .pipe(
      exhaustMap(async () => {
        const running = registry();
        if (running !== null) await saveChanges(store, running);
      }),
      retryForever({
        minDelayMs: SAVE_PEERS_MS,
        maxDelayMs: 30 * SAVE_PEERS_MS,
        scheduler,
        onFailure: ({ error }) => onFailure(error),
      }),
    )
    .subscribe();
  return partOf('saving known peers', { stop: async () => saving.unsubscribe() });
}

/** What the log says of peers that are not saved. */
export function notSaved(logger: Logger): (error: unknown) => void {
  return (error) => logger.error({ err: error }, 'known peers could not be saved');
}
