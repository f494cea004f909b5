import { type SchedulerAction, type Subscription, VirtualTimeScheduler } from 'rxjs';

/** Virtual time with timers that fire a moment early, as those of the platform may. */
export class HastyScheduler extends VirtualTimeScheduler {
  readonly #earlyMs: number;

  constructor(earlyMs: number) {
    super();
    this.#earlyMs = earlyMs;
  }

  override schedule<T>(work: (this: SchedulerAction<T>, state?: T) => void, delayMs = 0, state?: T): Subscription {
    return super.schedule(work, delayMs > this.#earlyMs ? delayMs - this.#earlyMs : delayMs, state);
  }
}
