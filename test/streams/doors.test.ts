import { readdir, readFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../../src', import.meta.url));

/** Rooms within streams, and the file by which each of them is entered from elsewhere. */
const DOORS: Readonly<Record<string, readonly string[]>> = {
  'streams/crawl': ['streams/crawl.ts'],
  'streams/visits': ['streams/sentry.ts'],
  'streams/publishing': ['streams/publishing.ts'],
};
/** What a round has covered and what was wrong with a node are told through the door, as types. */
const TOLD: Readonly<Record<string, readonly string[]>> = {
  'streams/happening.ts': ['streams/crawl/coverage.ts'],
  'streams/sentry.ts': ['streams/crawl/crawl-problems.ts'],
};

const IMPORT = /\bfrom '(\.[^']+)'/g;

async function imports(): Promise<[file: string, target: string][]> {
  const paths = (await readdir(ROOT, { recursive: true })).filter((path) => path.endsWith('.ts'));
  const found = paths.map(async (file) => {
    const text = await readFile(join(ROOT, file), 'utf8');
    return [...text.matchAll(IMPORT)].map(([, specifier = '']): [string, string] => [
      file,
      relative(ROOT, join(ROOT, dirname(file), specifier)),
    ]);
  });
  return (await Promise.all(found)).flat();
}

const all = await imports();

it.each(Object.entries(DOORS))('%s is entered by its door, and nothing in it goes back out by that', (room, doors) => {
  const entries = all.filter(([file, target]) => dirname(target) === room && dirname(file) !== room);
  expect(entries.length).toBeGreaterThan(0);
  const windows = entries.filter(([file, target]) => !doors.includes(file) && !TOLD[file]?.includes(target));
  expect(windows).toEqual([]);
  expect(all.filter(([file, target]) => dirname(file) === room && doors.includes(target))).toEqual([]);
});
