import { readdir, readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';

const ROOM = new URL('../../src/devnet/', import.meta.url);

describe('the devnet', () => {
  it('shares no rule of the network with the crawler, which would agree with its own mistakes', async () => {
    const files = (await readdir(ROOM, { recursive: true })).filter((name) => name.endsWith('.ts'));
    expect(files.length).toBeGreaterThan(20);
    for (const file of files) {
      const source = await readFile(new URL(file, ROOM), 'utf8');
      const imported = [...source.matchAll(/from '([^']+)'/g)].map((match) => match[1] ?? '');
      const here = new URL(file, ROOM);
      const foreign = imported.filter(
        (path) => path.startsWith('.') && !new URL(path, here).pathname.startsWith(ROOM.pathname),
      );
      expect(foreign, file).toEqual([]);
    }
  });
});
