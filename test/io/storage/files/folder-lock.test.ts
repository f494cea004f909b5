import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FolderInUseError, lockFolder } from '../../../../src/io/storage/files/folder-lock.ts';
import { tempDir } from '../../../support/temp-dir.ts';

const HOLDER = fileURLToPath(new URL('../../../support/hold-folder.ts', import.meta.url));

let folder: Awaited<ReturnType<typeof tempDir>>;
beforeEach(async () => {
  folder = await tempDir();
});
afterEach(() => folder.remove());

describe('lockFolder', () => {
  it('lets one in, names its process to others, and lets the next in after the release', async () => {
    const lock = await lockFolder(folder.path, 'sentry');
    await expect(lockFolder(folder.path, 'sentry')).rejects.toThrow(
      new FolderInUseError(
        `the data folder ${folder.path} is in use by a running valtrack (pid ${process.pid}); stop it or give another --data-dir`,
      ),
    );
    await lock.release();
    await (await lockFolder(folder.path, 'sentry')).release();
  });

  it('keeps the roles apart', async () => {
    const sentry = await lockFolder(folder.path, 'sentry');
    const consumer = await lockFolder(folder.path, 'consumer');
    await sentry.release();
    await expect(lockFolder(folder.path, 'consumer')).rejects.toBeInstanceOf(FolderInUseError);
    await consumer.release();
  });

  it('is held against other processes for as long as the holder lives, kill -9 included', async () => {
    const holder = spawn(process.execPath, [HOLDER, folder.path], { stdio: ['pipe', 'pipe', 'inherit'] });
    const exited = once(holder, 'exit');
    try {
      await once(holder.stdout, 'data');
      await expect(lockFolder(folder.path, 'consumer')).rejects.toThrow(`(pid ${holder.pid})`);
    } finally {
      holder.kill('SIGKILL');
      await exited;
    }
    await (await lockFolder(folder.path, 'consumer')).release();
  });

  it('says what is wrong with a lock file that is none', async () => {
    await writeFile(join(folder.path, 'sentry.lock'), 'x'.repeat(4_096));
    await expect(lockFolder(folder.path, 'sentry')).rejects.toThrow(
      /cannot be locked \(SQLITE_NOTADB: .*\); give another/,
    );
  });
});
