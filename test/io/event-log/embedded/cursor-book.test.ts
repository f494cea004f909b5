import { beforeEach, describe, expect, it } from 'vitest';
import { type CursorBook, cursorBook } from '../../../../src/io/event-log/embedded/cursor-book.ts';

const NOTHING = { entries: 0, bytes: 0 };
/** So many entries of 10 bytes. */
const size = (entries: number) => ({ entries, bytes: 10 * entries });

let book: CursorBook;

beforeEach(() => {
  book = cursorBook();
  book.set('fast', 4, size(6));
  book.set('slow', 2, size(8));
});

describe('an acknowledgement', () => {
  it('counts at once, and is on disk once it was written', () => {
    expect(book.advance('slow', 5)).toBe(true);
    expect([book.at('slow'), book.writtenAt('slow')]).toEqual([5, 2]);
    const moves = book.take() ?? [];
    expect(moves).toEqual([{ name: 'slow', from: 2, to: 5 }]);
    book.written(moves, [size(3)]);
    expect(book.writtenAt('slow')).toBe(5);
    expect(book.slowestBut('fast')).toEqual({ cursor: 5, backlog: size(5) });
  });

  it('is no news when the reader was there before', () => {
    book.advance('slow', 5);
    expect([book.advance('slow', 5), book.advance('slow', 3)]).toEqual([false, false]);
    expect(book.at('slow')).toBe(5);
  });

  it('is given out once, with what has been acknowledged since when it could not be written', () => {
    book.advance('slow', 5);
    const moves = book.take() ?? [];
    expect(book.take()).toBe(null);
    book.advance('slow', 7);
    book.giveBack(moves);
    expect(book.take()).toEqual([{ name: 'slow', from: 2, to: 7 }]);
  });

  it('that comes while one is being written is written after it', () => {
    book.advance('slow', 5);
    const moves = book.take() ?? [];
    book.advance('slow', 7);
    book.written(moves, [size(3)]);
    expect(book.take()).toEqual([{ name: 'slow', from: 5, to: 7 }]);
  });
});

describe('what may be released', () => {
  it('is what the last of the readers has acknowledged', () => {
    book.advance('slow', 10);
    expect(book.releasableAfter(book.take() ?? [])).toBe(4);
    expect(book.releasableAfter([])).toBe(2);
  });

  it('is nothing for a reader that becomes known before the moves are written', () => {
    book.advance('slow', 10);
    const moves = book.take() ?? [];
    book.set('new', 0, size(10));
    expect(book.releasableAfter(moves)).toBe(0);
  });

  it('is nothing without readers', () => {
    expect(cursorBook().releasableAfter([])).toBe(0);
  });

  it('is to be looked at when that is due though nobody has moved, once', () => {
    expect(book.take()).toBe(null);
    book.releaseIsDue();
    expect(book.take()).toEqual([]);
    expect(book.take()).toBe(null);
  });

  it('is to be looked at again after a write that failed', () => {
    book.giveBack([]);
    expect(book.take()).toEqual([]);
  });
});

describe('the reader that is farthest behind', () => {
  it('has yet to read what is appended', () => {
    book.append(size(2));
    expect(book.slowestBut(undefined)).toEqual({ cursor: 2, backlog: size(10) });
  });

  it('is another one when that one is left aside, and none when there is no other', () => {
    expect(book.slowestBut('slow')).toEqual({ cursor: 4, backlog: size(6) });
    const single = cursorBook();
    single.set('slow', 0, NOTHING);
    expect(single.slowestBut('slow')).toBe(null);
  });

  it('is one that was set back', () => {
    book.set('fast', 1, size(9));
    expect(book.slowestBut(undefined)).toEqual({ cursor: 1, backlog: size(9) });
    expect(book.at('fast')).toBe(1);
  });
});

it('knows nothing of a reader that was never set', () => {
  expect([book.has('other'), book.at('other'), book.writtenAt('other')]).toEqual([false, 0, 0]);
});
