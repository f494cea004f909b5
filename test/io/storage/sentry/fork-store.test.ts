import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { builtInNetwork } from '../../../../src/consensus/networks.ts';
import { sqliteForkStore } from '../../../../src/io/storage/sentry/fork-store.ts';
import { openSentryDatabase } from '../../../../src/io/storage/sentry/sentry-database.ts';
import { writeSetting } from '../../../../src/io/storage/sentry/settings.ts';
import type { SqliteDatabase } from '../../../../src/io/storage/sqlite/sqlite.ts';
import { tempDir } from '../../../support/temp-dir.ts';

let folder: Awaited<ReturnType<typeof tempDir>>;
let database: SqliteDatabase;
beforeEach(async () => {
  folder = await tempDir();
  database = await openSentryDatabase(folder.path);
});
afterEach(async () => {
  await database.close();
  await folder.remove();
});

const sepolia = builtInNetwork('sepolia');
const gloas = sepolia.forkSteps.slice(-1);

describe('learnt forks', () => {
  it('are there after a restart, the last that were saved', async () => {
    expect(await sqliteForkStore(database, sepolia).load()).toEqual([]);
    await sqliteForkStore(database, sepolia).save(sepolia.forkSteps.slice(0, 2));
    await sqliteForkStore(database, sepolia).save(gloas);
    await database.close();
    database = await openSentryDatabase(folder.path);
    expect(await sqliteForkStore(database, sepolia).load()).toEqual(gloas);
  });

  it('are of one network', async () => {
    await sqliteForkStore(database, sepolia).save(gloas);
    expect(await sqliteForkStore(database, builtInNetwork('hoodi')).load()).toEqual([]);
  });

  it.each(['', '{', '[]', '{"genesisValidatorsRoot":1}', '{"steps":[{"epoch":-1}]}'])(
    'are none in %j',
    async (text) => {
      await writeSetting(database, 'learnt forks', text);
      expect(await sqliteForkStore(database, sepolia).load()).toEqual([]);
    },
  );
});
