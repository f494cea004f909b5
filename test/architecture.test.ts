import { readdir, readFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../src', import.meta.url));
const MAX_LINES = 350;

/** Which rooms a room may use, besides itself; imports point one way. */
const MAY_USE: Readonly<Record<string, readonly string[]>> = {
  cli: ['commands'],
  commands: ['io', 'devnet', 'streams', 'actors', 'consensus'],
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
  streams: ['rxjs', 'node:crypto'],
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

interface Import {
  readonly file: string;
  readonly room: string;
  readonly statement: string;
  readonly specifier: string;
}

interface SourceFile {
  readonly path: string;
  readonly text: string;
}

async function sourceFiles(): Promise<SourceFile[]> {
  const paths = (await readdir(ROOT, { recursive: true })).filter((path) => path.endsWith('.ts')).sort();
  return Promise.all(paths.map(async (path) => ({ path, text: await readFile(join(ROOT, path), 'utf8') })));
}

const files = await sourceFiles();

function roomOf(path: string): string {
  return path.includes('/') ? (path.split('/')[0] ?? '') : path.replace(/\.ts$/, '');
}

const IMPORT = /^(?:import|export)\b[^'";]*?\bfrom '([^']+)'|^import '([^']+)'|\bimport\('([^']+)'\)/gm;

function importsOf({ path, text }: SourceFile): Import[] {
  return [...text.matchAll(IMPORT)].map((match) => ({
    file: path,
    room: roomOf(path),
    statement: match[0],
    specifier: match[1] ?? match[2] ?? match[3] ?? '',
  }));
}

const imports = files.flatMap(importsOf);
const within = imports.filter(({ specifier }) => specifier.startsWith('.'));
const outside = imports.filter(({ specifier }) => !specifier.startsWith('.'));

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

  it('imports one way: cli, commands, io and devnet, streams, actors, consensus', () => {
    const backwards = within.filter(({ file, room, specifier }) => {
      const target = roomOf(relative(ROOT, join(ROOT, dirname(file), specifier)));
      return target !== room && !MAY_USE[room]?.includes(target);
    });
    expect(backwards.map(({ file, specifier }) => `${file} imports ${specifier}`)).toEqual([]);
  });

  it('imports what exists, by its file name', () => {
    const paths = new Set(files.map(({ path }) => path));
    const known = ({ file, specifier }: Import) => {
      const target = relative(ROOT, join(ROOT, dirname(file), specifier));
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
