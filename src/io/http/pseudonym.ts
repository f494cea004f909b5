import { createHmac, randomBytes } from 'node:crypto';
import { link, open, readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';

/** What stands for a peer id in public: the same for the same peer, and linkable to it only with the secret. */
export type Pseudonym = (peerId: string) => string;

/** The secret is there and is not one; the message says what to do. */
export class PseudonymKeyError extends Error {
  override readonly name = 'PseudonymKeyError';
}

const KEY_FILE = 'pseudonym.key';
const KEY_BYTES = 32;
const PSEUDONYM_BYTES = 16;

/** HMAC-SHA256 of the peer id under a secret in `DIR/pseudonym.key`, which is made at the first start and kept. */
export async function pseudonymFrom(dataDir: string): Promise<Pseudonym> {
  const key = await keyIn(join(dataDir, KEY_FILE));
  return (peerId) =>
    createHmac('sha256', key)
      .update(peerId)
      .digest('hex')
      .slice(0, PSEUDONYM_BYTES * 2);
}

async function keyIn(path: string): Promise<Buffer> {
  const known = await read(path);
  if (known !== null) return known;
  await create(path);
  const created = await read(path);
  if (created === null) throw new PseudonymKeyError(`${path} vanished while it was made; start again`);
  return created;
}

async function read(path: string): Promise<Buffer | null> {
  let text: string;
  try {
    text = (await readFile(path, 'utf8')).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  if (text.length === KEY_BYTES * 2 && /^[0-9a-f]+$/.test(text)) return Buffer.from(text, 'hex');
  throw new PseudonymKeyError(
    `${path} does not hold ${KEY_BYTES} bytes of hex; restore it, or remove it for new pseudonyms`,
  );
}

/** The file appears whole or not at all, and a file that appeared meanwhile wins. */
async function create(path: string): Promise<void> {
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  const handle = await open(draft, 'wx', 0o600);
  try {
    await handle.writeFile(`${randomBytes(KEY_BYTES).toString('hex')}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  try {
    await link(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await unlink(draft);
  }
}
