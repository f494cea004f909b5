import { Observable } from 'rxjs';
import type { Delivery, DeliveryOptions, EventLog, LogEntry } from '../../src/streams/ports/event-log.ts';

/** An event log in memory with one reader, which can be made to deliver everything again. */
export interface MemoryLog extends EventLog {
  readonly unacknowledged: number;
  readonly highestInFlight: number;
  /** Forgets all acknowledgements: the next subscriber gets every entry again. */
  rewind(): void;
}

export function memoryLog(id = 'memory'): MemoryLog {
  const entries: LogEntry[] = [];
  let acknowledged = new Set<number>();
  let inFlight = new Set<number>();
  let highestInFlight = 0;
  let pump: () => void = () => {};

  return {
    id,
    get unacknowledged() {
      return entries.length - acknowledged.size;
    },
    get highestInFlight() {
      return highestInFlight;
    },
    rewind() {
      acknowledged = new Set();
    },
    async append(added: readonly LogEntry[]) {
      entries.push(...added);
      pump();
    },
    deliveries: ({ maxInFlight }: DeliveryOptions) =>
      new Observable<Delivery>((subscriber) => {
        let next = 0;
        inFlight = new Set();
        pump = () => {
          while (!subscriber.closed && next < entries.length && inFlight.size < maxInFlight) {
            const position = next++;
            if (acknowledged.has(position)) continue;
            inFlight.add(position);
            highestInFlight = Math.max(highestInFlight, inFlight.size);
            subscriber.next({
              ...(entries[position] as LogEntry),
              position: position + 1,
              ack: () => {
                acknowledged.add(position);
                if (inFlight.delete(position)) queueMicrotask(() => pump());
              },
            });
          }
        };
        pump();
        return () => {
          pump = () => {};
        };
      }),
    close: async () => {},
  };
}
