import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ackWindow } from '../../../../src/io/event-log/embedded/ack-window.ts';

/** The slow way: the last delivered position before the first that is not acknowledged. */
function expectedWatermark(delivered: readonly number[], acked: ReadonlySet<number>): number {
  const firstOpen = delivered.findIndex((position) => !acked.has(position));
  const prefix = firstOpen === -1 ? delivered : delivered.slice(0, firstOpen);
  return prefix.at(-1) ?? 0;
}

it('moves its watermark over the acknowledged prefix only, whatever the order', () => {
  const gaps = fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 40 });
  const acks = fc.array(fc.nat(250), { maxLength: 120 });
  fc.assert(
    fc.property(gaps, acks, (steps, positions) => {
      const window = ackWindow();
      const delivered: number[] = [];
      const acked = new Set<number>();
      const toAck = [...positions];
      for (const step of steps) {
        const position = (delivered.at(-1) ?? 0) + step;
        window.deliver(position);
        delivered.push(position);
        for (const ack of toAck.splice(0, 3)) {
          window.ack(ack);
          if (delivered.includes(ack)) acked.add(ack);
        }
        const watermark = expectedWatermark(delivered, acked);
        expect(window.watermark).toBe(watermark);
        expect(window.unacknowledged).toBe(delivered.length - acked.size);
        expect(window.span).toBe(delivered.filter((each) => each > watermark).length);
      }
    }),
  );
});

it('forgets what it is done with, however long it lives', () => {
  const window = ackWindow();
  for (let position = 1; position <= 100_000; position += 1) {
    window.deliver(position);
    if (position > 10) window.ack(position - 10);
  }
  expect(window.watermark).toBe(99_990);
  expect(window.span).toBe(10);
});
