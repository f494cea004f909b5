import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { OPTIONS } from './option-table.ts';
import type { OptionSource } from './options.ts';
import { UsageError } from './usage-error.ts';

/**
 * The options of a YAML file: `name: value`, by the names that the command line has. One file may serve several
 * commands; each takes what it knows.
 * @throws UsageError with one line that names the file and what is wrong in it
 */
export function configFileSource(path: string): OptionSource {
  const texts = parsed(path, contentOf(path));
  for (const [name, value] of Object.entries(texts)) {
    if (!Object.hasOwn(OPTIONS, name)) {
      throw new UsageError(
        `config file ${path}: unknown option "${name}"; allowed are ${Object.keys(OPTIONS).join(', ')}`,
      );
    }
    if (typeof value === 'object' && value !== null) {
      throw new UsageError(`config file ${path}: "${name}" must have one value, not a list or a map`);
    }
  }
  return { texts, labelOf: (name) => `config file ${path}: ${name}` };
}

function contentOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new UsageError(`config file ${path} cannot be read (${code}); check the path given with --config`);
  }
}

function parsed(path: string, content: string): Record<string, unknown> {
  let value: unknown;
  let texts: unknown;
  try {
    value = parse(content);
    // All values are texts, as on the command line: a name like 0123 stays as it is.
    texts = parse(content, { schema: 'failsafe' });
  } catch (error) {
    const [firstLine] = (error instanceof Error ? error.message : String(error)).split('\n');
    throw new UsageError(`config file ${path} is not YAML: ${firstLine?.replace(/:$/, '')}`);
  }
  if (value === null || value === undefined) return {};
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw new UsageError(`config file ${path} must hold options as "name: value", one a line`);
  }
  // A name without anything behind it sets nothing.
  const isSet = ([name]: readonly [string, unknown]) => (value as Record<string, unknown>)[name] !== null;
  return Object.fromEntries(Object.entries(texts as Record<string, unknown>).filter(isSet));
}
