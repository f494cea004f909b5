/** A number of validators with its 90 % interval. */
export interface Estimate {
  /** `null` when only a bound can be given. */
  readonly validators: number | null;
  readonly low: number;
  /** `null` when unbounded. */
  readonly high: number | null;
}
