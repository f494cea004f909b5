import { dirname, join, relative } from 'node:path';

/** A source file, its path below `src`. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

export interface Import {
  readonly file: string;
  readonly room: string;
  readonly statement: string;
  readonly specifier: string;
}

const IMPORT = /^(?:import|export)\b[^'";]*?\bfrom '([^']+)'|^import '([^']+)'|\bimport\('([^']+)'\)/gm;

/** The folder right below `src` that a file is in, or its own name without the ending. */
export function roomOf(path: string): string {
  return path.includes('/') ? (path.split('/')[0] ?? '') : path.replace(/\.ts$/, '');
}

export function importsOf({ path, text }: SourceFile): Import[] {
  return [...text.matchAll(IMPORT)].map((match) => ({
    file: path,
    room: roomOf(path),
    statement: match[0],
    specifier: match[1] ?? match[2] ?? match[3] ?? '',
  }));
}

export function isWithin({ specifier }: Pick<Import, 'specifier'>): boolean {
  return specifier.startsWith('.');
}

/** The path below `src` that an import of one of our own files names. */
export function targetOf({ file, specifier }: Pick<Import, 'file' | 'specifier'>): string {
  return relative('.', join(dirname(file), specifier));
}

/** Imports of a room that the importing one may not use. */
export function againstTheArrows(
  files: readonly SourceFile[],
  mayUse: Readonly<Record<string, readonly string[]>>,
): string[] {
  return files
    .flatMap(importsOf)
    .filter(isWithin)
    .filter((one) => {
      const target = roomOf(targetOf(one));
      return target !== one.room && !mayUse[one.room]?.includes(target);
    })
    .map(({ file, specifier }) => `${file} imports ${specifier}`);
}

/** Groups of files that import each other in a circle, each sorted; types count as well. */
export function circles(files: readonly SourceFile[]): string[][] {
  const graph = new Map(files.map((file) => [file.path, importsOf(file).filter(isWithin).map(targetOf)]));
  return stronglyConnected(graph).filter((group) => group.length > 1);
}

/** Tarjan, Depth-first search and linear graph algorithms, SIAM J. Comput. 1972. */
function stronglyConnected(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const number = new Map<string, number>();
  const lowest = new Map<string, number>();
  const waiting: string[] = [];
  const groups: string[][] = [];

  function visit(node: string): void {
    number.set(node, number.size);
    lowest.set(node, number.size - 1);
    waiting.push(node);
    for (const next of graph.get(node) ?? []) {
      if (!graph.has(next)) continue;
      if (!number.has(next)) visit(next);
      if (waiting.includes(next)) lowest.set(node, Math.min(lowest.get(node) ?? 0, lowest.get(next) ?? 0));
    }
    if (lowest.get(node) === number.get(node)) groups.push(waiting.splice(waiting.indexOf(node)).sort());
  }

  for (const node of graph.keys()) if (!number.has(node)) visit(node);
  return groups;
}
