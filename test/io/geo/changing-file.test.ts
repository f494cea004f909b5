import { readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openChangingFile } from '../../../src/io/geo/changing-file.ts';
import { GeoError } from '../../../src/io/geo/geo-error.ts';
import { recordingLogger, silent } from '../../support/geo/locators.ts';
import { tempDir } from '../../support/temp-dir.ts';

let folder: Awaited<ReturnType<typeof tempDir>>;
let path: string;
beforeEach(async () => {
  folder = await tempDir();
  path = join(folder.path, 'numbers.json');
  await writeFile(path, '[1]');
});
afterEach(() => folder.remove());

let reads = 0;
async function readNumbers(file: string): Promise<number[]> {
  reads++;
  return JSON.parse(await readFile(file, 'utf8'));
}

/** Writes with a time of its own, as clocks of file systems may be coarse. */
async function write(text: string, timeSec: number): Promise<void> {
  await writeFile(path, text);
  await utimes(path, timeSec, timeSec);
}

describe('a file that may change', () => {
  it('is read once as long as it does not', async () => {
    reads = 0;
    const file = await openChangingFile(path, readNumbers, silent);
    const versions = await Promise.all([file.version(), file.version()]);
    expect(new Set([...versions, await file.version()]).size).toBe(1);
    expect(file.content).toEqual([1]);
    expect(reads).toBe(1);
  });

  it('is read again when it does, though it stays as long', async () => {
    const file = await openChangingFile(path, readNumbers, silent);
    const before = await file.version();
    await write('[2]', 2_000_000_000);
    expect(file.content).toEqual([1]);
    expect(await file.version()).not.toBe(before);
    expect(file.content).toEqual([2]);
  });

  it('keeps what it had while it is half written or gone, tells so once, and recovers', async () => {
    const { logger, lines } = recordingLogger();
    const file = await openChangingFile(path, readNumbers, logger);
    const before = await file.version();
    await write('[2, ', 2_000_000_000);
    expect([await file.version(), await file.version()]).toEqual([before, before]);
    expect(file.content).toEqual([1]);
    expect(lines.filter((line) => line.includes('keeping'))).toHaveLength(1);
    await rm(path);
    expect([await file.version(), await file.version()]).toEqual([before, before]);
    expect(lines.filter((line) => line.includes('keeping'))).toHaveLength(2);
    await write('[3]', 2_000_000_001);
    await file.version();
    expect(file.content).toEqual([3]);
  });

  it('must be readable at first', async () => {
    await expect(openChangingFile(join(folder.path, 'none'), readNumbers, silent)).rejects.toThrow(GeoError);
    await write('{', 1);
    await expect(openChangingFile(path, readNumbers, silent)).rejects.toThrow(/^[^\n]*numbers\.json cannot be used/);
  });
});
