/** What a node remembers of peers beyond their connections: how much they have asked, and whom it has banned. */

const MAX_REMEMBERED_PEERS = 1000;

/** How many requests are let in within a time. */
export interface Quota {
  readonly requests: number;
  readonly perMs: number;
}

/** A map that forgets what was written longest ago. */
export class BoundedMap<V> {
  readonly #entries = new Map<string, V>();

  get(key: string): V | undefined {
    return this.#entries.get(key);
  }

  set(key: string, value: V): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > MAX_REMEMBERED_PEERS && oldest !== undefined) this.#entries.delete(oldest);
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }
}

/**
 * Counts requests by peer id and method with token buckets. The times of the quotas are shortened by `pace`, at most 1:
 * in a network whose epochs are shorter than the real ones, one visit an epoch must remain as polite as it is.
 */
export function rateLimiter<Method extends string>(
  { quotas }: { readonly quotas: Readonly<Partial<Record<Method, Quota>>> },
  pace: number,
): Limiter<Method> {
  const buckets = new BoundedMap<{ readonly tokens: number; readonly atMs: number }>();
  return {
    admits: (peerId, method, nowMs) => {
      const quota = quotas[method];
      if (quota === undefined) return true;
      const key = `${peerId} ${method}`;
      const { tokens, atMs } = buckets.get(key) ?? { tokens: quota.requests, atMs: nowMs };
      const refilled = tokens + ((nowMs - atMs) * quota.requests) / (quota.perMs * pace);
      const available = Math.min(quota.requests, refilled);
      const admitted = available >= 1;
      buckets.set(key, { tokens: admitted ? available - 1 : available, atMs: nowMs });
      return admitted;
    },
  };
}

export interface Limiter<Method extends string> {
  /** Whether the peer may make one more request now, which is then counted. */
  admits(peerId: string, method: Method, nowMs: number): boolean;
}

export interface Bans {
  ban(peerId: string, untilMs: number): void;
  isBanned(peerId: string, nowMs: number): boolean;
}

export function createBans(): Bans {
  const until = new BoundedMap<number>();
  return {
    ban: (peerId, untilMs) => until.set(peerId, Math.max(untilMs, until.get(peerId) ?? 0)),
    isBanned: (peerId, nowMs) => (until.get(peerId) ?? 0) > nowMs,
  };
}
