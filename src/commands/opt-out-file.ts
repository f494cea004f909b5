import { readFile } from 'node:fs/promises';
import { NOBODY, type OptOut, parseOptOut } from '../consensus/opt-out.ts';
import { UsageError } from './usage-error.ts';

/** Reads the list that `--opt-out` names. @throws UsageError, since contacting somebody who asked not to be is worse than not starting */
export async function readOptOut(path: string | undefined): Promise<OptOut> {
  if (path === undefined) return NOBODY;
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(`--opt-out ${path} cannot be read (${error.code ?? error.message})`);
  });
  const parsed = parseOptOut(text);
  if (!parsed.ok) throw new UsageError(`--opt-out ${path}: ${parsed.reason}`);
  return parsed.value;
}
