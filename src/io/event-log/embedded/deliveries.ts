import { Observable, type Subscriber } from 'rxjs';
import type { Delivery, DeliveryOptions } from '../../../streams/ports/event-log.ts';
import { ackWindow } from './ack-window.ts';
import type { EmbeddedCursors } from './cursors.ts';
import type { EmbeddedEntries } from './entries.ts';
import type { StoredEntry } from './entry-rows.ts';

/** Payloads are at most 64 KiB, so a page is at most 16 MiB, and about 256 kB with real events. */
const PAGE_ENTRIES = 256;

/** One that is never acknowledged stops the deliveries here, so that what is remembered of later ones is bounded. */
const MAX_SPAN = 100_000;

/**
 * Reads the log for one durable: a page whenever there is room in flight and something to read, which an append or an
 * acknowledgement may bring about.
 */
export function embeddedDeliveries(
  entries: EmbeddedEntries,
  cursors: EmbeddedCursors,
  { durable, maxInFlight }: DeliveryOptions,
): Observable<Delivery> {
  return new Observable((subscriber) => {
    const inFlight = ackWindow();
    let started = false;
    let reading = false;
    let position = 0;

    function room(): number {
      if (inFlight.span >= MAX_SPAN) return 0;
      return Math.min(maxInFlight - inFlight.unacknowledged, PAGE_ENTRIES);
    }

    async function readOn(): Promise<void> {
      if (reading) return;
      reading = true;
      while (started && !subscriber.closed && room() > 0 && position < entries.head) {
        const head = entries.head;
        const page = await entries.page(position, room());
        emit(page);
        // Positions have gaps: nothing up to the head means that there is nothing.
        if (page.length === 0) position = head;
      }
      reading = false;
    }

    function emit(page: readonly StoredEntry[]): void {
      for (const entry of page) {
        if (subscriber.closed) return;
        position = entry.position;
        inFlight.deliver(position);
        subscriber.next({ ...entry, ack: () => acknowledge(entry.position) });
      }
    }

    function acknowledge(acknowledged: number): void {
      inFlight.ack(acknowledged);
      cursors.advance(durable, inFlight.watermark);
      wake();
    }

    function wake(): void {
      readOn().catch((error: unknown) => subscriber.error(error));
    }

    const appended = entries.appended$.subscribe(wake);
    start(cursors, durable, subscriber, (cursor) => {
      position = cursor;
      started = true;
      wake();
    });
    return () => appended.unsubscribe();
  });
}

function start(
  cursors: EmbeddedCursors,
  durable: string,
  subscriber: Subscriber<Delivery>,
  from: (cursor: number) => void,
): void {
  cursors.ensure(durable).then(from, (error: unknown) => subscriber.error(error));
}
