import type { Writable } from 'node:stream';

/**
 * Writes as fast as the other end reads. `false` when the other end wants no more, as `head` does when it has its lines.
 * Does not wait for an end that reads no more once `signal` is aborted.
 *
 * @throws other errors of the stream, what the chunks fail with, and the reason of `signal`.
 */
export async function writeAll(
  stream: Pick<Writable, 'write' | 'on' | 'off'>,
  chunks: AsyncIterable<string | Uint8Array>,
  signal: AbortSignal,
): Promise<boolean> {
  const { promise: aborted, resolve: abort } = Promise.withResolvers<void>();
  signal.addEventListener('abort', () => abort(), { once: true });
  // Each write hears of its failure; without a listener the stream would end the program too.
  const ignore = () => {};
  stream.on('error', ignore);
  try {
    for await (const chunk of chunks) {
      await Promise.race([written(stream, chunk), aborted]);
      signal.throwIfAborted();
    }
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EPIPE') return false;
    throw error;
  } finally {
    stream.off('error', ignore);
  }
}

function written(stream: Pick<Writable, 'write'>, chunk: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(chunk, (error) => (error === null || error === undefined ? resolve() : reject(error)));
  });
}
