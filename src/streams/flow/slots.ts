import { type Observable, Subject } from 'rxjs';

/** A counted number of places. Whoever takes one must release it; the pipeline's bound is made of these. */
export interface Slots {
  readonly limit: number;
  readonly taken: number;
  hasRoom(): boolean;
  tryTake(): boolean;
  release(): void;
  /** Emits when a place has become free. */
  readonly freed$: Observable<void>;
}

export function createSlots(limit: number): Slots {
  const freed = new Subject<void>();
  let taken = 0;
  return {
    limit,
    get taken() {
      return taken;
    },
    hasRoom: () => taken < limit,
    tryTake() {
      if (taken >= limit) return false;
      taken++;
      return true;
    },
    release() {
      if (taken === 0) throw new Error('a slot was released that nobody had taken');
      taken--;
      freed.next();
    },
    freed$: freed.asObservable(),
  };
}
