import { firstValueFrom, merge, type Observable, timer } from 'rxjs';
import type { Failure } from '../../../src/consensus/failure.ts';
import { FAULTS, type Fault } from '../../../src/devnet/faults.ts';
import type { DevnetFile, DevnetNode } from '../../../src/devnet/network-file.ts';
import type { Happening } from '../../../src/streams/sentry.ts';
import type { Observation } from '../../../src/streams/visit.ts';
import type { CrawledDevnet } from './crawled-devnet.ts';

/** What a sentry says of the nodes of a devnet, epoch by epoch. */
export interface NodeWatch {
  /** The last epoch that has begun. */
  readonly epoch: number;
  readonly observations: readonly Observation[];
  /** What made the pipeline end, if it has. */
  readonly broken: readonly unknown[];
  observedIn(epoch: number): ReadonlySet<string>;
  /** `stage/cause` of everything that was wrong with a peer. */
  failuresOf(peerId: string): ReadonlySet<string>;
  stop(): void;
}

/** Waits until an epoch of the devnet has begun, and so much longer. */
export async function untilEpoch({ network }: CrawledDevnet['devnet'], epoch: number, lateMs: number): Promise<void> {
  await firstValueFrom(timer(Math.max(0, epochStartMs(network, epoch) + lateMs - Date.now())));
}

export function watchNodes({ devnet, sentry }: CrawledDevnet, onEpoch?: (epoch: number) => void): NodeWatch {
  const observedIn = new Map<number, Set<string>>();
  const failures = new Map<string, Set<string>>();
  const observations: Observation[] = [];
  const broken: unknown[] = [];
  let epoch = Number.NEGATIVE_INFINITY;

  const note = (peerId: string, { stage, cause }: Failure) => at(failures, peerId).add(`${stage}/${cause}`);
  function take(happening: Happening): void {
    if (happening.type === 'epoch') {
      epoch = happening.epoch;
      onEpoch?.(epoch);
    }
    if (happening.type === 'failed') note(happening.failure.peerId, happening.failure.failure);
    if (happening.type !== 'observed') return;
    const { observation } = happening;
    observations.push(observation);
    at(observedIn, epochAt(devnet.network, observation.observedFromMs)).add(observation.peerId);
    for (const failure of [...observation.missing, ...observation.problems]) note(observation.peerId, failure);
  }
  const happenings$: Observable<Happening> = merge(sentry.happenings$, sentry.failed$);
  const watching = happenings$.subscribe({ next: take, error: (error: unknown) => broken.push(error) });

  return {
    get epoch() {
      return epoch;
    },
    observations,
    broken,
    observedIn: (asked) => at(observedIn, asked),
    failuresOf: (peerId) => at(failures, peerId),
    stop: () => watching.unsubscribe(),
  };
}

function at<Key, Value>(sets: Map<Key, Set<Value>>, key: Key): Set<Value> {
  const found = sets.get(key) ?? new Set<Value>();
  sets.set(key, found);
  return found;
}

export function epochAt(
  { genesis_time_ms, slot_ms, slots_per_epoch }: Pick<DevnetFile, 'genesis_time_ms' | 'slot_ms' | 'slots_per_epoch'>,
  timeMs: number,
): number {
  return Math.floor((timeMs - genesis_time_ms) / (slot_ms * slots_per_epoch));
}

/** When an epoch begins, in Unix milliseconds. */
export function epochStartMs({ genesis_time_ms, slot_ms, slots_per_epoch }: DevnetFile, epoch: number): number {
  return genesis_time_ms + epoch * slot_ms * slots_per_epoch;
}

/** Whether the failures of a faulty node have the name that its fault should be called by. */
export function isNamed(node: DevnetNode, failures: ReadonlySet<string>): boolean {
  const { stage, causes } = FAULTS[node.behaviour as Fault];
  return [...failures].some((failure) => {
    const [seenStage = '', cause = ''] = failure.split('/');
    // A Goodbye cuts off whatever has been asked for at that moment.
    if (cause === 'too_many_peers') return (causes as readonly string[]).includes(cause) && seenStage !== 'dial';
    return seenStage === stage && (causes as readonly string[]).includes(cause);
  });
}
