import { readdir, readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';

const ROOM = new URL('../../src/devnet/', import.meta.url);

describe('the devnet', () => {
  it('shares no rule of the network with the crawler, which would agree with its own mistakes', async () => {
    const files = (await readdir(ROOM)).filter((name) => name.endsWith('.ts'));
    expect(files.length).toBeGreaterThan(20);
    for (const file of files) {
      const source = await readFile(new URL(file, ROOM), 'utf8');
      const imported = [...source.matchAll(/from '([^']+)'/g)].map((match) => match[1] ?? '');
      const foreign = imported.filter((path) => path.startsWith('.') && !/^\.\/[a-z0-9-]+\.ts$/.test(path));
      expect(foreign, file).toEqual([]);
    }
  });
});
