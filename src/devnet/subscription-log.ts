import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import type { NodeTruth } from './truth.ts';

/** Writes each node's attestation subnets whenever they change: what a stored observation can be held against. */
export interface SubscriptionLog {
  write(truth: NodeTruth, subnets: readonly number[]): void;
  close(): Promise<void>;
}

/** One JSON line a change: `{ at_ms, peer_id, subnets }`, where `at_ms` is when the change had been made. */
export function openSubscriptionLog(path: string): SubscriptionLog {
  const stream = createWriteStream(path, { flags: 'a' });
  const done = finished(stream);
  return {
    write: ({ peerId }, subnets) => {
      stream.write(`${JSON.stringify({ at_ms: Date.now(), peer_id: peerId, subnets })}\n`);
    },
    close: async () => {
      stream.end();
      await done;
    },
  };
}
