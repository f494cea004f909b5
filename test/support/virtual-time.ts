import { setImmediate } from 'node:timers/promises';
import { VirtualTimeScheduler } from 'rxjs';

/**
 * Virtual time for code that mixes schedulers and promises: after every millisecond what promises have to say is heard,
 * which marble diagrams cannot wait for.
 */
export interface VirtualTime {
  readonly scheduler: VirtualTimeScheduler;
  advance(ms: number): Promise<void>;
}

export function virtualTime(): VirtualTime {
  const scheduler = new VirtualTimeScheduler();
  return {
    scheduler,
    async advance(ms) {
      const untilMs = scheduler.now() + ms;
      while (scheduler.now() < untilMs) {
        await setImmediate();
        scheduler.schedule(() => {}, 1);
        scheduler.maxFrames = scheduler.frame + 1;
        scheduler.flush();
      }
      await setImmediate();
    },
  };
}
