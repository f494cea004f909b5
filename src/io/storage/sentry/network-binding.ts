import type { Network } from '../../../consensus/network.ts';
import { NetworkError } from '../../networks/network-error.ts';
import type { SqliteDatabase } from '../sqlite/sqlite.ts';
import { readSetting, writeSetting } from './settings.ts';

const KEY = 'network';

/**
 * Ties a data folder to the network whose peers it holds: two networks in one view would make nonsense of both. A devnet
 * is a new network at every start, so its folder may be used again; false then says that epochs mean something else now.
 * @throws NetworkError when the folder belongs to another network
 */
export async function bindToNetwork(database: SqliteDatabase, network: Network): Promise<boolean> {
  const identity = `${network.name} ${network.genesisValidatorsRoot} ${network.genesisTimeMs}`;
  const bound = await readSetting(database, KEY);
  if (bound === identity) return true;
  const before = bound?.split(' ')[0];
  if (before !== undefined && (before !== network.name || network.isPublic)) {
    throw new NetworkError(
      `the data folder of ${database.path} belongs to ${before}; give ${network.name} a folder of its own with --data-dir`,
    );
  }
  await writeSetting(database, KEY, identity);
  return false;
}
