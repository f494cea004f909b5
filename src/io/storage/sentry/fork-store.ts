import { z } from 'zod';
import type { ForkStep, Network } from '../../../consensus/network.ts';
import type { SqliteDatabase } from '../sqlite/sqlite.ts';
import { readSetting, writeSetting } from './settings.ts';

/** What was learnt of the forks of a network, kept over restarts. */
export interface ForkStore {
  /** Ascending by epoch; nothing where it cannot be read, since it can be learnt again. */
  load(): Promise<readonly ForkStep[]>;
  save(steps: readonly ForkStep[]): Promise<void>;
}

const KEY = 'learnt forks';

const hex4 = z.string().regex(/^[0-9a-f]{8}$/);
const epoch = z.int().nonnegative();
const kept = z.object({
  /** A devnet is another network at every start. */
  genesisValidatorsRoot: z.string(),
  steps: z.array(
    z.object({
      epoch,
      name: z.string(),
      forkVersion: hex4,
      digest: hex4,
      blobs: z.object({ epoch, maxBlobsPerBlock: z.int().nonnegative() }).nullable(),
    }),
  ),
});

/** In the settings of `sentry.sqlite`. */
export function sqliteForkStore(database: SqliteDatabase, { genesisValidatorsRoot }: Network): ForkStore {
  return {
    async load() {
      const { data } = kept.safeParse(jsonOf((await readSetting(database, KEY)) ?? ''));
      return data?.genesisValidatorsRoot === genesisValidatorsRoot ? data.steps : [];
    },
    save: (steps) => writeSetting(database, KEY, JSON.stringify({ genesisValidatorsRoot, steps })),
  };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
