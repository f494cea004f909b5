import { connect } from 'nats';
import { expect, vi } from 'vitest';

/** Resolves when the consumer has acknowledged the last message: a stream of interest retention then holds none. */
export async function everythingTaken(url: string): Promise<void> {
  const connection = await connect({ servers: url });
  const streams = (await connection.jetstreamManager()).streams;
  await vi.waitFor(async () => expect((await streams.info('EVENTS')).state.messages).toBe(0), {
    timeout: 20_000,
    interval: 100,
  });
  await connection.close();
}
