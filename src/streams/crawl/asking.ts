import { ignoreElements, map, type Observable, type SchedulerLike, tap } from 'rxjs';
import type { DiscoveryAnswer, DiscoveryStage } from '../discovery.ts';
import { pull } from '../flow/pull.ts';
import type { Slots } from '../flow/slots.ts';
import { whileOpen } from '../flow/while-open.ts';
import type { EventLog } from '../ports/event-log.ts';
import { type RecordOptions, record } from '../record.ts';
import type { Announcing, News } from './announcing.ts';
import type { Frontier } from './frontier.ts';

export interface AskingOptions {
  readonly frontier: Pick<Frontier, 'take' | 'nextDueMs' | 'wake$' | 'answered'>;
  /** Nodes asked at a time. A node has its slot until what it told of is durable. */
  readonly slots: Slots;
  /** While it is shut nobody new is asked. */
  readonly isOpen$: Observable<boolean>;
  /** Takes what a node told of. */
  readonly receive: (answer: DiscoveryAnswer) => News;
  readonly settle: Announcing['settle'];
  readonly log: Pick<EventLog, 'append'>;
  readonly record: RecordOptions;
  readonly scheduler: SchedulerLike;
}

/** Asks nodes for their buckets, bounded by slots, until the round has met everybody. Emits nothing. */
export function asking(discovery: DiscoveryStage, options: AskingOptions): Observable<never> {
  const { frontier, slots, isOpen$, receive, settle, log, scheduler } = options;
  return whileOpen(isOpen$, pull(frontier, slots, scheduler)).pipe(
    discovery,
    map((answered) => ({ answered, ...receive(answered) })),
    record(log, options.record),
    tap(({ item, failure }) => {
      settle(item, failure);
      slots.release();
      frontier.answered(item.answered, scheduler.now());
    }),
    ignoreElements(),
  );
}
