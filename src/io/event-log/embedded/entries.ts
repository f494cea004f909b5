import { type Observable, type SchedulerLike, Subject } from 'rxjs';
import { EventLogFullError, type LogEntry } from '../../../streams/ports/event-log.ts';
import type { SqliteDatabase } from '../../storage/sqlite/sqlite.ts';
import { type EntriesSize, minus, NOTHING, plus } from './entries-size.ts';
import {
  appendedMsAfter,
  entriesOf,
  idsOf,
  insert,
  lastOf,
  lastPosition,
  pack,
  removeUpTo,
  type StoredEntry,
  sizeOf,
} from './entry-rows.ts';

/** The entries of the embedded log: appended, read in pages, and deleted once nobody waits for them. */
export interface EmbeddedEntries {
  /** The last committed position; entries beyond it may be seen by a query but are not on disk yet. */
  readonly head: number;
  /** All that is on disk. */
  readonly held: EntriesSize;
  /** What each append has stored, right after it. */
  readonly appended$: Observable<EntriesSize>;
  /** @param checkRoom throws when so much cannot be taken; nothing else is appended between it and the commit */
  append(entries: readonly LogEntry[], checkRoom: (size: EntriesSize) => void): Promise<void>;
  /** Committed entries after `position`, oldest first. */
  page(position: number, limit: number): Promise<StoredEntry[]>;
  /** The same without what they say, up to `upTo`. */
  ids(after: number, upTo: number, limit: number): Promise<Pick<StoredEntry, 'position' | 'eventId'>[]>;
  /** What there is after `position`. */
  behind(position: number): Promise<EntriesSize>;
  /** What there is with `after < position <= upTo`. */
  size(after: number, upTo: number): Promise<EntriesSize>;
  /** The oldest entries in that range that are together at least as much as `wanted`, or all of them. */
  oldest(
    after: number,
    upTo: number,
    wanted: EntriesSize,
  ): Promise<{ readonly to: number; readonly size: EntriesSize }>;
  /** Unix time at which the first entry after `position` was appended, `null` when there is none. */
  appendedMsAfter(position: number): Promise<number | null>;
  /** Deletes a batch of the entries up to `position`. To be called inside a transaction. */
  release(position: number): Promise<Released>;
  /** Takes what a committed transaction released off the size. */
  forget(released: Released): void;
}

export interface Released extends EntriesSize {
  /** Whether entries up to the asked position remain. */
  readonly more: boolean;
}

export interface EntriesOptions {
  readonly scheduler: SchedulerLike;
}

/** Deleting this many rows takes some tens of milliseconds, during which no append commits. */
const RELEASE_BATCH = 5000;
/** No position is higher. */
const END = Number.MAX_SAFE_INTEGER;

export async function embeddedEntries(
  database: SqliteDatabase,
  { scheduler }: EntriesOptions,
): Promise<EmbeddedEntries> {
  const appended$ = new Subject<EntriesSize>();
  let held: EntriesSize = await sizeOf(database, 0, END);
  let head = await lastPosition(database);

  async function append(entries: readonly LogEntry[], checkRoom: (size: EntriesSize) => void): Promise<void> {
    if (entries.length === 0) return;
    const packed = pack(entries);
    const stored = await database.transaction(async () => {
      checkRoom({ entries: entries.length, bytes: packed.payloads.length });
      await insert(database, packed, scheduler.now());
      return sizeOf(database, head, END);
    });
    if (stored.entries === 0) return;
    held = plus(held, stored);
    head = stored.last;
    appended$.next(stored);
  }

  return {
    get head() {
      return head;
    },
    get held() {
      return held;
    },
    appended$: appended$.asObservable(),
    append: (entries, checkRoom) => append(entries, checkRoom).catch(asFullError(database.path)),
    behind: (position) => sizeOf(database, position, END),
    size: (after, upTo) => sizeOf(database, after, upTo),
    oldest: (after, upTo, wanted) => oldest(database, after, upTo, wanted),
    appendedMsAfter: (position) => appendedMsAfter(database, position),
    page: (position, limit) => entriesOf(database, position, head, limit),
    ids: (after, upTo, limit) => idsOf(database, after, upTo, limit),
    async release(position) {
      const last = await lastOf(database, 0, position, RELEASE_BATCH);
      const size = await sizeOf(database, 0, last);
      await removeUpTo(database, last);
      return { ...size, more: size.entries === RELEASE_BATCH };
    },
    forget(released) {
      held = minus(held, released);
    },
  };
}

async function oldest(database: SqliteDatabase, after: number, upTo: number, wanted: EntriesSize) {
  let size = NOTHING;
  let to = after;
  while (size.entries < wanted.entries || size.bytes < wanted.bytes) {
    const last = await lastOf(database, to, upTo, RELEASE_BATCH);
    const passed = await sizeOf(database, to, last);
    if (passed.entries === 0) break;
    size = plus(size, passed);
    to = last;
  }
  return { to, size };
}

/** SQLITE_FULL is a full disk; in places where SQLite does not expect one, it is an I/O error like any other. */
const NO_ROOM_CODES: readonly unknown[] = ['SQLITE_FULL', 'SQLITE_IOERR'];

/** A disk that takes nothing more is a full log to whoever appends: hold back, try again. */
function asFullError(path: string) {
  return (error: unknown): never => {
    if (error instanceof Error && 'code' in error && NO_ROOM_CODES.includes(error.code)) {
      const message = `the disk takes no more for the event log in ${path} (${error.message}); make room on it`;
      throw new EventLogFullError(message, { cause: error });
    }
    throw error;
  };
}
