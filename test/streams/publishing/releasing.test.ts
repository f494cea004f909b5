import { describe, expect, it } from 'vitest';
import { StreamChangedError } from '../../../src/streams/ports/spool.ts';
import { createReleasing } from '../../../src/streams/publishing/releasing.ts';
import { virtualTime } from '../../support/virtual-time.ts';
import { deliveries } from './support/publishing.ts';

const WAIT_MS = 50;

/** A spool with so many entries; what readers say of events is set by the test. */
function releasingOf(entries: number) {
  const time = virtualTime();
  const held = deliveries(1, entries);
  const asked: number[] = [];
  const lost: number[] = [];
  const answer = { unapplied: new Set<string>() as ReadonlySet<string> | null };
  let cursor = 0;
  const releasing = createReleasing({
    spool: {
      cursor: () => cursor,
      advance(_, position) {
        cursor = position;
      },
      ids: async (after, upTo, limit) => held.slice(after, upTo).slice(0, limit),
    },
    consumed: 'consumed',
    stream: {
      async unapplied(eventIds) {
        asked.push(eventIds.length);
        return answer.unapplied === null ? null : new Set(eventIds.filter((id) => answer.unapplied?.has(id)));
      },
    },
    losses: {
      foundAt(position) {
        lost.push(position);
        return WAIT_MS;
      },
    },
    scheduler: time.scheduler,
  });
  return { releasing, time, asked, lost, answer, cursor: () => cursor };
}

describe('createReleasing', () => {
  it('lets go of what has been read and applied, a page at a time, and asks of nothing twice', async () => {
    const { releasing, asked, cursor } = releasingOf(3_000);
    await releasing.release(2_500);
    expect(asked).toEqual([1_000, 1_000, 500]);
    expect(cursor()).toBe(2_500);
    await releasing.release(0);
    expect(asked).toHaveLength(3);
    expect(releasing.isPending).toBe(false);
  });

  it('keeps everything while a reader does not say, and asks again though nothing more has been read', async () => {
    const { releasing, answer, cursor } = releasingOf(9);
    answer.unapplied = null;
    await releasing.release(5);
    expect([cursor(), releasing.isPending]).toEqual([0, true]);
    answer.unapplied = new Set();
    await releasing.release(0);
    expect([cursor(), releasing.isPending]).toEqual([5, false]);
  });

  it('lets go of what comes before something that was not applied, and says after a pause that it is lost', async () => {
    const { releasing, time, answer, lost, cursor } = releasingOf(9);
    answer.unapplied = new Set(['id4', 'id6']);
    let error: unknown;
    releasing.release(8).catch((thrown: unknown) => {
      error = thrown;
    });
    await time.advance(WAIT_MS - 1);
    expect([cursor(), lost, error]).toEqual([3, [4], undefined]);
    await time.advance(2);
    expect(error).toBeInstanceOf(StreamChangedError);
  });
});
