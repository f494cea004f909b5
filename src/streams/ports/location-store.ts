import type { Located } from './geo-locator.ts';

/** Where the locations of the view's addresses are kept. */
export interface LocationStore {
  /**
   * Addresses of peers that have no location, or one that no longer holds; those without first, then the oldest.
   * @param validVersions versions of answers that hold.
   */
  due(validVersions: readonly string[], nowMs: number, limit: number): Promise<string[]>;
  /** Makes the locations durable and those of the peers at these addresses, all or none. */
  save(located: readonly LocatedIp[], nowMs: number): Promise<void>;
  /** Forgets the locations of addresses that no peer has any more; returns how many. */
  prune(): Promise<number>;
}

export interface LocatedIp extends Located {
  readonly ip: string;
}
