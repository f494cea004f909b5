import { type EntriesSize, minus, NOTHING, plus } from './entries-size.ts';

/** Where each reader stands, in memory: as it has acknowledged, and as it is on disk with what it has yet to acknowledge. */
export interface CursorBook {
  has(name: string): boolean;
  /** Up to where it has acknowledged; 0 for one that is not known. */
  at(name: string): number;
  /** The same as it is on disk. */
  writtenAt(name: string): number;
  /** A reader is on disk with this cursor: it is new, or was set back. `backlog` is all that is held behind the cursor. */
  set(name: string, cursor: number, backlog: EntriesSize): void;
  /** Notes an acknowledgement, to be written; false when it is no news. */
  advance(name: string, position: number): boolean;
  /** Counts what was appended: every reader has yet to read it. */
  append(size: EntriesSize): void;
  /** Makes the next `take` give something even if no reader has moved: there may be entries that all are done with. */
  releaseIsDue(): void;
  /** The moves to be written now; nobody gets them again unless they are given back. `null` when there is nothing to do. */
  take(): readonly CursorMove[] | null;
  /** What every reader that is known by now has acknowledged, once the moves are on disk. */
  releasableAfter(moves: readonly CursorMove[]): number;
  /** The moves could not be written: they are still to be. */
  giveBack(moves: readonly CursorMove[]): void;
  /** The moves are on disk. `passed` is what each of them has acknowledged, in the same order. */
  written(moves: readonly CursorMove[], passed: readonly EntriesSize[]): void;
  /** The reader that is farthest behind on disk, one aside; `null` when there is no other. */
  slowestBut(name: string | undefined): WrittenCursor | null;
}

export interface CursorMove {
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

/** Of a reader, as it is on disk. */
export interface WrittenCursor {
  readonly cursor: number;
  readonly backlog: EntriesSize;
}

export function cursorBook(): CursorBook {
  const cursors = new Map<string, number>();
  const onDisk = new Map<string, WrittenCursor>();
  const moved = new Set<string>();
  let isReleaseDue = false;
  const at = (name: string) => cursors.get(name) ?? 0;
  const writtenAt = (name: string) => onDisk.get(name)?.cursor ?? 0;

  return {
    has: (name) => cursors.has(name),
    at,
    writtenAt,
    set(name, cursor, backlog) {
      cursors.set(name, cursor);
      onDisk.set(name, { cursor, backlog });
    },
    advance(name, position) {
      if (position <= at(name)) return false;
      cursors.set(name, position);
      moved.add(name);
      return true;
    },
    append(size) {
      for (const [name, { cursor, backlog }] of onDisk) onDisk.set(name, { cursor, backlog: plus(backlog, size) });
    },
    releaseIsDue() {
      isReleaseDue = true;
    },
    take() {
      if (moved.size === 0 && !isReleaseDue) return null;
      const moves = [...moved].map((name) => ({ name, from: writtenAt(name), to: at(name) }));
      moved.clear();
      isReleaseDue = false;
      return moves;
    },
    releasableAfter(moves) {
      const next = new Map([...onDisk].map(([name, { cursor }]) => [name, cursor]));
      for (const { name, to } of moves) next.set(name, to);
      return next.size === 0 ? 0 : Math.min(...next.values());
    },
    giveBack(moves) {
      for (const { name } of moves) moved.add(name);
      isReleaseDue = true;
    },
    written(moves, passed) {
      for (const [index, { name, to }] of moves.entries()) {
        const backlog = onDisk.get(name)?.backlog ?? NOTHING;
        onDisk.set(name, { cursor: to, backlog: minus(backlog, passed[index] ?? NOTHING) });
      }
    },
    slowestBut(aside) {
      const others = [...onDisk].filter(([name]) => name !== aside).map(([, written]) => written);
      return others.reduce<WrittenCursor | null>(
        (found, one) => (found === null || one.cursor < found.cursor ? one : found),
        null,
      );
    },
  };
}
