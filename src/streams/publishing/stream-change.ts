import { StreamChangedError, type StreamState } from '../ports/spool.ts';
import type { Losses } from './losses.ts';

/** A cluster's new leader may not know of all messages yet: only who lacks some so often in a row has lost them. */
export const BEHIND_LOOKS = 3;

export function isChange(error: unknown): boolean {
  return error instanceof StreamChangedError;
}

/** Whether one of them was lost, and so has no place in the stream any more. New ones and those that are gone are none. */
export function isRemade(before: StreamState['readers'], now: StreamState['readers']): boolean {
  return Object.entries(before).some(([name, mark]) => now[name] !== undefined && now[name] !== mark);
}

/** Watches over one session whether the stream is still the one that it was when the session began. */
export interface ChangeWatch {
  /**
   * @param expected the highest sequence that the stream was known to have given out before it was asked
   * @throws StreamChangedError when what was published may be gone
   */
  check(state: StreamState, expected: number): void;
  /** Readers of others, as they were seen last. */
  readonly readers: StreamState['readers'];
}

export function createChangeWatch(begun: StreamState, losses: Pick<Losses, 'found'>): ChangeWatch {
  let { readers } = begun;
  let behind = 0;

  return {
    get readers() {
      return readers;
    },
    check(state, expected) {
      if (state.session !== begun.session) {
        throw new StreamChangedError(`it is ${state.session} now, no longer ${begun.session}`);
      }
      if (isRemade(readers, state.readers)) throw new StreamChangedError('a reader was made anew');
      readers = state.readers;
      behind = state.lastSequence < expected ? behind + 1 : 0;
      if (behind < BEHIND_LOOKS) return;
      losses.found();
      throw new StreamChangedError('the stream has lost its last messages');
    },
  };
}
