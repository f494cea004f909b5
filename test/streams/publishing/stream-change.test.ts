import { describe, expect, it } from 'vitest';
import { StreamChangedError, type StreamState } from '../../../src/streams/ports/spool.ts';
import { createChangeWatch, isChange, isRemade } from '../../../src/streams/publishing/stream-change.ts';
import { streamState } from './support/publishing.ts';

function watchFrom(begun: StreamState) {
  let losses = 0;
  const watch = createChangeWatch(begun, {
    found: () => {
      losses++;
    },
  });
  return { watch, losses: () => losses };
}

describe('a reader of others', () => {
  it.each<[string, StreamState['readers'], StreamState['readers'], boolean]>([
    ['that stays is the same', { a: '1' }, { a: '1' }, false],
    ['that comes is none that was lost', {}, { a: '1' }, false],
    ['that goes is none that was lost', { a: '1' }, {}, false],
    ['that was made anew is', { a: '1', b: '1' }, { a: '1', b: '2' }, true],
  ])('%s', (_, before, now, remade) => {
    expect(isRemade(before, now)).toBe(remade);
  });
});

describe('a stream that is looked at', () => {
  it.each<[string, Partial<StreamState>, string | null]>([
    ['is the same though it has grown', { firstSequence: 150, lastSequence: 200 }, null],
    ['is the same when a reader comes', { readers: { a: '1', b: '1' } }, null],
    ['has changed with its session', { session: 'second' }, 'it is second now, no longer first'],
    ['has changed with a reader', { readers: { a: '2' } }, 'a reader was made anew'],
  ])('%s', (_, changes, reason) => {
    const begun = streamState({ readers: { a: '1' } });
    const { watch, losses } = watchFrom(begun);
    const check = () => watch.check({ ...begun, ...changes }, 100);
    if (reason === null) expect(check).not.toThrow();
    else expect(check).toThrow(new StreamChangedError(reason));
    expect(losses()).toBe(0);
  });

  it('remembers readers that have come meanwhile', () => {
    const { watch } = watchFrom(streamState());
    watch.check(streamState({ readers: { a: '1' } }), 0);
    expect(watch.readers).toEqual({ a: '1' });
    expect(() => watch.check(streamState({ readers: { a: '2' } }), 0)).toThrow('made anew');
  });

  it('has lost messages when it lacks some three times in a row', () => {
    const { watch, losses } = watchFrom(streamState());
    const look = (lastSequence: number) => watch.check(streamState({ lastSequence }), 100);
    for (const lastSequence of [99, 99, 100, 99, 99]) look(lastSequence);
    expect(losses()).toBe(0);
    expect(() => look(99)).toThrow(new StreamChangedError('the stream has lost its last messages'));
    expect(losses()).toBe(1);
  });
});

it('tells a change from whatever else goes wrong', () => {
  expect([new StreamChangedError('another'), new Error('away')].map(isChange)).toEqual([true, false]);
});
