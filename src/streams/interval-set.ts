/** A run of whole numbers, both ends included. */
export interface Interval {
  readonly first: number;
  readonly last: number;
}

/**
 * A set of whole numbers kept as its runs: what "which sequence numbers have been applied" costs is the number of
 * gaps, however many numbers there are.
 */
export class IntervalSet {
  /** Ascending, disjoint, and never adjacent. */
  #runs: Interval[];

  /** `runs` must be ascending, disjoint and not adjacent, as {@link runs} gives them. */
  constructor(runs: readonly Interval[] = []) {
    this.#runs = [...runs];
  }

  get runs(): readonly Interval[] {
    return this.#runs;
  }

  has(number: number): boolean {
    const run = this.#runs[this.#firstEndingAtOrAfter(number)];
    return run !== undefined && run.first <= number;
  }

  add(number: number): void {
    if (this.has(number)) return;
    const index = this.#firstEndingAtOrAfter(number - 1);
    const before = this.#runs[index]?.last === number - 1 ? this.#runs[index] : undefined;
    const next = before === undefined ? index : index + 1;
    const after = this.#runs[next]?.first === number + 1 ? this.#runs[next] : undefined;
    const merged = { first: before?.first ?? number, last: after?.last ?? number };
    this.#runs.splice(index, (before === undefined ? 0 : 1) + (after === undefined ? 0 : 1), merged);
  }

  copy(): IntervalSet {
    return new IntervalSet(this.#runs);
  }

  /** Index of the first run whose end is at or after `number`; the number of runs when there is none. */
  #firstEndingAtOrAfter(number: number): number {
    let low = 0;
    let high = this.#runs.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#runs[middle] as Interval).last < number) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
