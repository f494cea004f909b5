import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import {
  againstTheArrows,
  circles,
  type Import,
  importsOf,
  isWithin,
  roomOf,
  type SourceFile,
  targetOf,
} from './support/import-graph.ts';

const ROOT = fileURLToPath(new URL('../src', import.meta.url));
const MAX_LINES = 250;

/** Which rooms a room may use, besides itself; imports point one way. */
const MAY_USE: Readonly<Record<string, readonly string[]>> = {
  cli: ['commands'],
  commands: ['programs', 'io', 'devnet', 'streams', 'actors', 'consensus'],
  programs: ['io', 'devnet', 'streams', 'actors', 'consensus'],
  io: ['streams', 'actors', 'consensus'],
  streams: ['actors', 'consensus'],
  actors: ['consensus'],
  consensus: [],
  // Its own truth: what it shared with the crawler would agree with the crawler's mistakes.
  devnet: [],
  web: [],
};

/** What rooms without I/O may take from outside; a package's name covers its subpaths. */
const PURE_PACKAGES: Readonly<Record<string, readonly string[]>> = {
  streams: ['rxjs', 'lru-cache', 'node:crypto'],
  actors: ['tinyqueue', 'node:crypto'],
};
/** The rules of the network are neither streams nor I/O. */
const FORBIDDEN_IN_CONSENSUS = [
  'rxjs',
  'node:fs',
  'node:net',
  'node:dgram',
  'node:http',
  'node:child_process',
  'libp2p',
  '@libp2p',
  'sqlite3',
  'nats',
];
/** Text in, number out. */
const HARMLESS_IMPORTS = ["import { isIP } from 'node:net'"];

async function sourceFiles(): Promise<SourceFile[]> {
  const paths = (await readdir(ROOT, { recursive: true })).filter((path) => path.endsWith('.ts')).sort();
  return Promise.all(paths.map(async (path) => ({ path, text: await readFile(join(ROOT, path), 'utf8') })));
}

const files = await sourceFiles();

const imports = files.flatMap(importsOf);
const within = imports.filter(isWithin);
const outside = imports.filter((one) => !isWithin(one));

function isOf(specifier: string, packages: readonly string[]): boolean {
  return packages.some((name) => specifier === name || specifier.startsWith(`${name}/`));
}

describe('the source', () => {
  it('is read whole: every import is seen', () => {
    const seen = new Set(imports.map(({ file }) => file));
    const unseen = files.filter(({ path, text }) => /\bfrom '|\bimport\(/.test(text) && !seen.has(path));
    expect(unseen.map(({ path }) => path)).toEqual([]);
    expect(imports.length).toBeGreaterThan(files.length);
    const counted = files.reduce(
      (sum, { text }) => sum + (text.match(/^(import|export) .*from '|^} from '/gm)?.length ?? 0),
      0,
    );
    expect(imports.filter(({ statement }) => statement.includes('from ')).length).toBe(counted);
  });

  it('has no room without rules', () => {
    const rooms = new Set(files.map(({ path }) => roomOf(path)));
    expect([...rooms].filter((room) => MAY_USE[room] === undefined)).toEqual([]);
  });

  it('imports one way: cli, commands, programs, io and devnet, streams, actors, consensus', () => {
    expect(againstTheArrows(files, MAY_USE)).toEqual([]);
  });

  it('has no files that import each other in a circle', () => {
    expect(circles(files)).toEqual([]);
  });

  it('would see an import upwards and a circle that somebody plants', () => {
    const upwards = { path: 'streams/planted.ts', text: "import { run } from '../programs/run-program.ts';\n" };
    expect(againstTheArrows([...files, upwards], MAY_USE)).toEqual([
      'streams/planted.ts imports ../programs/run-program.ts',
    ]);
    const there = { path: 'io/there.ts', text: "import type { Back } from './wing/back.ts';\n" };
    const back = { path: 'io/wing/back.ts', text: "export { there } from '../there.ts';\n" };
    expect(circles([...files, there, back])).toEqual([['io/there.ts', 'io/wing/back.ts']]);
  });

  it('has every adapter of io in the wing that says what it speaks to', () => {
    expect(files.filter(({ path }) => /^io\/[^/]+$/.test(path)).map(({ path }) => path)).toEqual([]);
  });

  it('imports what exists, by its file name', () => {
    const paths = new Set(files.map(({ path }) => path));
    const known = ({ file, specifier }: Import) => {
      const target = targetOf({ file, specifier });
      return paths.has(target) || target.startsWith('..');
    };
    expect(within.filter((one) => !known(one)).map(({ file, specifier }) => `${file} imports ${specifier}`)).toEqual(
      [],
    );
  });

  it.each(Object.entries(PURE_PACKAGES))('does no I/O in %s, which knows ports and no adapter', (room, packages) => {
    const foreign = outside.filter((one) => one.room === room && !isOf(one.specifier, packages));
    expect(foreign.map(({ file, specifier }) => `${file} imports ${specifier}`)).toEqual([]);
  });

  it('has neither streams nor I/O in consensus', () => {
    const foreign = outside.filter(
      ({ room, specifier, statement }) =>
        room === 'consensus' && isOf(specifier, FORBIDDEN_IN_CONSENSUS) && !HARMLESS_IMPORTS.includes(statement),
    );
    expect(foreign.map(({ file, specifier }) => `${file} imports ${specifier}`)).toEqual([]);
  });

  it('has no logic in the entry', () => {
    const entry = files.find(({ path }) => path === 'cli.ts');
    expect(entry?.text.split('\n').length).toBeLessThan(30);
  });

  it.each(files.map(({ path, text }) => [path, text.split('\n').length - 1] as const))(
    'has one screen of purpose in %s (%i lines)',
    (_, lines) => {
      expect(lines).toBeLessThanOrEqual(MAX_LINES);
    },
  );
});

describe('streams', () => {
  const streams = files.filter(({ path }) => roomOf(path) === 'streams');

  it('take their time from a scheduler', () => {
    const clocks = /\b(setTimeout|setInterval|setImmediate|Date\.now|performance\.now|queueMicrotask)\b/;
    const watches = streams.filter(({ text }) => clocks.test(text));
    expect(watches.map(({ path }) => path)).toEqual([]);
  });

  it('pass a concurrency to every mergeMap', () => {
    const unbounded = streams.filter(({ text }) => {
      const calls = text.match(/\bmergeMap\(/g)?.length ?? 0;
      const bounded = text.match(/\bmergeMap\([^()]*, concurrency\)/g)?.length ?? 0;
      return calls !== bounded;
    });
    expect(unbounded.map(({ path }) => path)).toEqual([]);
  });
});

describe('docs/architecture.md', () => {
  it('names every file of src once, under its folder', async () => {
    const page = await readFile(join(ROOT, '../docs/architecture.md'), 'utf8');
    const [, ...sections] = page.split('\n### ');
    const named = sections.flatMap((section) => {
      const [folder = '', ...lines] = section.split('\n');
      return lines.flatMap((line) => {
        const name = /^- `([^`]+)`: \S/.exec(line)?.[1];
        return name === undefined ? [] : [join(folder, name)];
      });
    });
    expect(named.toSorted()).toEqual(files.map(({ path }) => join('src', path)).toSorted());
  });
});
