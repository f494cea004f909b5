import type { ByteReader } from './byte-reader.ts';
import { varint } from './payload.ts';
import type { RawStream } from './raw-stream.ts';

/** multistream-select 1.0 from the side that proposes (github.com/multiformats/multistream-select). */

const MULTISTREAM = '/multistream/1.0.0';
const NOT_AVAILABLE = 'na';
const MAX_LINE_BYTES = 1_024;

/** The peer said something that is no answer to a proposal. */
export class NegotiationBroken extends Error {
  override readonly name = 'NegotiationBroken';
}

/**
 * Proposes protocols one after another, the first together with the header. Resolves with the one that is agreed on, or
 * `null` when there is none.
 * @throws NegotiationBroken, UnexpectedEnd when the stream ends first, or what the stream throws
 */
export async function negotiate(
  stream: Pick<RawStream, 'write'>,
  reader: ByteReader,
  protocols: readonly string[],
): Promise<string | null> {
  const [first = '', ...others] = protocols;
  stream.write(Buffer.concat([line(MULTISTREAM), line(first)]));
  if ((await readLine(reader)) !== MULTISTREAM) throw new NegotiationBroken('no header');
  for (const protocol of [first, ...others]) {
    if (protocol !== first) stream.write(line(protocol));
    const answer = await readLine(reader);
    if (answer === protocol) return protocol;
    if (answer !== NOT_AVAILABLE) throw new NegotiationBroken('neither the protocol nor `na`');
  }
  return null;
}

function line(text: string): Buffer {
  const bytes = Buffer.from(`${text}\n`);
  return Buffer.concat([varint(bytes.length), bytes]);
}

async function readLine(reader: ByteReader): Promise<string> {
  let length = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = (await reader.take(1)).readUInt8(0);
    length += (byte & 127) * 2 ** shift;
    if (length > MAX_LINE_BYTES) throw new NegotiationBroken('an endless line');
    if (byte < 128) break;
  }
  const text = (await reader.take(length)).toString('utf8');
  if (!text.endsWith('\n')) throw new NegotiationBroken('a line without an end');
  return text.slice(0, -1);
}
