import type { Options } from './options.ts';
import { VERSION } from './version.ts';

/** What peers see of us: who we are and, if given, where to complain. */
export function agentOf({ contact }: Pick<Options, 'contact'>): string {
  return contact === undefined ? `valtrack/${VERSION}` : `valtrack/${VERSION} (${contact})`;
}
