import type { Delivery } from '../../../../src/streams/ports/event-log.ts';
import type { StreamState } from '../../../../src/streams/ports/spool.ts';
import type { Remembered, StreamMemory } from '../../../../src/streams/ports/stream-memory.ts';

/** A stream with a hundred messages, all of them read. */
export function streamState(changes: Partial<StreamState> = {}): StreamState {
  return { incarnation: 'one', session: 'first', firstSequence: 101, lastSequence: 100, readers: {}, ...changes };
}

/** Deliveries from one position of the spool to another, which note that they were acknowledged. */
export function deliveries(from: number, to: number, acked: number[] = []): Delivery[] {
  return Array.from({ length: to - from + 1 }, (_, index) => ({
    subject: 's',
    eventId: `id${from + index}`,
    payload: new Uint8Array(),
    position: from + index,
    ack: () => acked.push(from + index),
  }));
}

export function memoryOf(before: Remembered | null): StreamMemory & { value: Remembered | null } {
  const memory = {
    value: before,
    load: async () => memory.value,
    save: async (remembered: Remembered) => {
      memory.value = remembered;
    },
  };
  return memory;
}
