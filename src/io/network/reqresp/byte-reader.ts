import type { ReadBytes } from './snappy-frames.ts';

interface ByteList {
  readonly byteLength: number;
  subarray(): Uint8Array;
}

/**
 * Reads a stream by counts. Holds at most what was asked for plus one chunk of the transport, since it takes the next
 * chunk only when it needs more.
 */
export function byteReader(source: AsyncIterable<Uint8Array | ByteList>): ReadBytes {
  const chunks = source[Symbol.asyncIterator]();
  let held: Uint8Array = new Uint8Array(0);

  return async (count) => {
    const parts: Uint8Array[] = [held];
    let available = held.length;
    while (available < count) {
      const { done, value } = await chunks.next();
      if (done === true) return null;
      const chunk = value.subarray();
      parts.push(chunk);
      available += chunk.length;
    }
    const bytes = parts.length === 1 ? held : Buffer.concat(parts);
    held = bytes.subarray(count);
    return bytes.subarray(0, count);
  };
}
