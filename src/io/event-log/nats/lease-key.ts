import { hostname } from 'node:os';
import type { KV, NatsConnection } from 'nats';

/**
 * The key that a lease is, in a NATS bucket whose keys vanish unless they are renewed. Every call asks the server; what it
 * rejects with says nothing of who has the key, but for `isWrongRevision`: somebody else.
 */
export interface LeaseKey {
  /** Makes the bucket unless it is known to be there; so that it need not be waited for by what comes next. */
  open(): Promise<void>;
  /** Takes it when it is free, or ours: after a restart, or when the answer to a renewal was lost. */
  take(): Promise<Taken>;
  /** Makes it last as long again. Resolves to its new revision. */
  renew(revision: number): Promise<number>;
  giveUp(revision: number): Promise<void>;
}

/** Ours with this revision, or who has it. */
export type Taken = { readonly revision: number } | { readonly holder: string };

export interface LeaseKeyOptions {
  readonly connection: Pick<NatsConnection, 'jetstream'>;
  readonly durable: string;
  readonly replicas: number;
  readonly ttlMs: number;
  readonly id: string;
}

const BUCKET = 'valtrack';
const ANSWER_MS = 2_000;

export function leaseKey({ connection, durable, replicas, ttlMs, id }: LeaseKeyOptions): LeaseKey {
  const jetstream = connection.jetstream({ timeout: Math.min(ttlMs / 2, ANSWER_MS) });
  const own = JSON.stringify({ holder: `${hostname()}, process ${process.pid}`, id });
  let bucket: KV | null = null;

  /** After a failure the bucket itself may be gone: it is made anew. */
  async function asking<T>(ask: (bucket: KV) => Promise<T>): Promise<T> {
    try {
      bucket ??= await jetstream.views.kv(BUCKET, { ttl: ttlMs, replicas, history: 1 });
      return await ask(bucket);
    } catch (error) {
      bucket = null;
      throw error;
    }
  }

  return {
    open: () => asking(async () => undefined),
    take: () =>
      asking(async (keys) => {
        const entry = await keys.get(durable);
        if (entry === null || entry.operation !== 'PUT') return { revision: await keys.create(durable, own) };
        const other = holderOf(entry.string());
        if (other.id !== id) return { holder: other.holder };
        return { revision: await keys.update(durable, own, entry.revision) };
      }),
    renew: (revision) => asking((keys) => keys.update(durable, own, revision)),
    async giveUp(revision) {
      await bucket?.delete(durable, { previousSeq: revision });
    },
  };
}

function holderOf(value: string): { readonly holder: string; readonly id: string } {
  try {
    const { holder, id } = JSON.parse(value) as { holder?: unknown; id?: unknown };
    return { holder: String(holder), id: String(id) };
  } catch (error) {
    if (error instanceof SyntaxError) return { holder: value, id: '' };
    throw error;
  }
}
