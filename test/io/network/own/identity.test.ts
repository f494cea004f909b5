import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import secp256k1 from 'secp256k1';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IdentityError, loadIdentity } from '../../../../src/io/network/own/identity.ts';
import { tempDir } from '../../../support/temp-dir.ts';

let dir: Awaited<ReturnType<typeof tempDir>>;
let path: string;
beforeEach(async () => {
  dir = await tempDir();
  path = join(dir.path, 'identity');
});
afterEach(() => dir.remove());

const modeOf = async () => ((await stat(path)).mode & 0o777).toString(8);

describe('the identity', () => {
  it('is made at the first start, for the owner alone, and kept', async () => {
    const made = await loadIdentity(dir.path);
    expect(made.type).toBe('secp256k1');
    expect(await modeOf()).toBe('600');
    expect(await readdir(dir.path)).toEqual(['identity']);
    const kept = await loadIdentity(dir.path);
    expect(kept.equals(made)).toBe(true);
    expect(Buffer.from(kept.raw).toString('hex')).toBe((await readFile(path, 'utf8')).trim());
    expect(Buffer.from(kept.publicKey.raw)).toEqual(Buffer.from(secp256k1.publicKeyCreate(kept.raw)));
  });

  it('is another in another folder', async () => {
    const other = join(dir.path, 'other');
    await mkdir(other);
    expect((await loadIdentity(dir.path)).equals(await loadIdentity(other))).toBe(false);
  });

  it('is closed to others when it had been open', async () => {
    await loadIdentity(dir.path);
    await chmod(path, 0o644);
    await loadIdentity(dir.path);
    expect(await modeOf()).toBe('600');
  });

  it('is read with and without white space and prefix', async () => {
    await writeFile(path, `  0x${'0A'.repeat(32)}\r\n\n`);
    expect(Buffer.from((await loadIdentity(dir.path)).raw).toString('hex')).toBe('0a'.repeat(32));
  });

  it.each([
    ['empty', ''],
    ['too short', 'ab'.repeat(31)],
    ['too long', 'ab'.repeat(33)],
    ['followed by something else', `${'ab'.repeat(32)} and more`],
    ['not hex', 'xy'.repeat(32)],
    ['zero, which is no key', '00'.repeat(32)],
    ['beyond the order of the curve', 'ff'.repeat(32)],
    ['bytes', '\0\u00ff\u00fe'],
  ])('that is %s is refused in one line that names the file, and left as it is', async (_, text) => {
    await writeFile(path, text);
    const refusal = await loadIdentity(dir.path).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(IdentityError);
    expect((refusal as Error).message).toBe(
      `${path} does not hold a node key; move it away and a new one will be made`,
    );
    expect(await readFile(path, 'utf8')).toBe(text);
  });

  it('that cannot be read is an error of the system', async () => {
    await mkdir(path);
    await expect(loadIdentity(dir.path)).rejects.toMatchObject({ code: 'EISDIR' });
  });

  it('is the same for all that start at once, and nothing else is left in the folder', async () => {
    const keys = await Promise.all(Array.from({ length: 8 }, () => loadIdentity(dir.path)));
    expect(new Set(keys.map(({ raw }) => Buffer.from(raw).toString('hex'))).size).toBe(1);
    expect(await readdir(dir.path)).toEqual(['identity']);
  });
});
