/** Lets pieces of asynchronous work happen one after the other, in the order in which they were asked for. */
export interface Turns {
  /** Runs `work` once everything before it is done. Whether that has failed is told to who asked for it, and to nobody else. */
  take<T>(work: () => Promise<T>): Promise<T>;
  /** Resolves when all that has been asked for so far is done; never rejects. */
  done(): Promise<void>;
}

export function inTurn(): Turns {
  let last: Promise<unknown> = Promise.resolve();
  return {
    take(work) {
      const result = last.then(work, work);
      last = result;
      return result;
    },
    async done() {
      await Promise.allSettled([last]);
    },
  };
}
