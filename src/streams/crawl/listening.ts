import { filter, ignoreElements, map, type Observable, tap } from 'rxjs';
import type { NodeRecord } from '../../consensus/node-record.ts';
import { createSlots } from '../flow/slots.ts';
import { whileOpen } from '../flow/while-open.ts';
import type { EventLog } from '../ports/event-log.ts';
import { type RecordOptions, record } from '../record.ts';
import type { Announcing, News } from './announcing.ts';

export interface ListeningOptions {
  /** Nodes that wait for their announcement to be durable; others are dropped and counted. */
  readonly maxWaiting: number;
  /** While it is shut nobody is heard. */
  readonly isOpen$: Observable<boolean>;
  /** Takes a node that came to us unasked. */
  readonly receive: (node: NodeRecord) => News;
  readonly settle: Announcing['settle'];
  readonly log: Pick<EventLog, 'append'>;
  readonly record: RecordOptions;
}

export interface Listening {
  /** Listens while it is subscribed; emits nothing. */
  readonly listening$: Observable<never>;
  /** Nodes that were dropped because too many waited. */
  readonly dropped: number;
}

/** Takes in who comes by unasked. Who is no news takes no place. */
export function createListening(heard$: Observable<NodeRecord>, options: ListeningOptions): Listening {
  const { maxWaiting, isOpen$, receive, settle, log } = options;
  const slots = createSlots(maxWaiting);
  let dropped = 0;

  const listening$ = whileOpen(isOpen$, heard$).pipe(
    filter(() => {
      const isAdmitted = slots.tryTake();
      if (!isAdmitted) dropped++;
      return isAdmitted;
    }),
    map(receive),
    filter(({ entries }) => {
      if (entries.length === 0) slots.release();
      return entries.length > 0;
    }),
    record(log, options.record),
    tap(({ item, failure }) => {
      settle(item, failure);
      slots.release();
    }),
    ignoreElements(),
  );

  return {
    listening$,
    get dropped() {
      return dropped;
    },
  };
}
