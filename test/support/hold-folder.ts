import { lockFolder } from '../../src/io/storage/files/folder-lock.ts';

/** Locks the folder that it is given, says so, and keeps it until it is killed. */
const [folder = ''] = process.argv.slice(2);
await lockFolder(folder, 'consumer');
process.stdout.write('locked\n');
process.stdin.resume();
