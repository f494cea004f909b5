import { randomUUID } from 'node:crypto';
import { chmod, link, open, readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { generateKeyPair, privateKeyFromRaw } from '@libp2p/crypto/keys';
import type { PrivateKey } from '@libp2p/interface';
import secp256k1 from 'secp256k1';
import { fromHex } from '../../../consensus/bits.ts';

const KEY_BYTES = 32;

/** The identity file does not hold a key; the message says what to do. */
export class IdentityError extends Error {
  override readonly name = 'IdentityError';
}

/**
 * The node's secp256k1 key, used for discv5 and libp2p alike. Made at the first start and kept in `identity` (hex, mode
 * 0600), so that peers meet the same node after a restart.
 */
export async function loadIdentity(dataDir: string): Promise<PrivateKey> {
  const path = join(dataDir, 'identity');
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (text === null) return createIdentity(path);
  const key = readKey(text);
  if (key === null) {
    throw new IdentityError(`${path} does not hold a node key; move it away and a new one will be made`);
  }
  await chmod(path, 0o600);
  return key;
}

function readKey(text: string): PrivateKey | null {
  const raw = fromHex(text.trim());
  // Not every 32 bytes are a key.
  return raw?.length === KEY_BYTES && secp256k1.privateKeyVerify(raw) ? privateKeyFromRaw(raw) : null;
}

async function createIdentity(path: string): Promise<PrivateKey> {
  const key = await generateKeyPair('secp256k1');
  const written = `${path}.${randomUUID()}.tmp`;
  try {
    await using file = await open(written, 'wx', 0o600);
    await file.writeFile(`${Buffer.from(key.raw).toString('hex')}\n`);
    await file.sync();
    // Of several that start at once, one has the name first, and the others are the same node.
    await link(written, path);
    return key;
  } catch (error) {
    const other = (error as NodeJS.ErrnoException).code === 'EEXIST' ? readKey(await readFile(path, 'utf8')) : null;
    if (other === null) throw error;
    return other;
  } finally {
    await unlink(written).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
  }
}
