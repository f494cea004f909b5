import { spawnSync } from 'node:child_process';
import { mkdir, statfs, truncate, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A file system of a few megabytes, mounted on a folder, that can be filled to the last byte and emptied again. */
export interface SmallDisk {
  /** Leaves so many bytes free. */
  fill(freeBytes: number): Promise<void>;
  makeRoom(): Promise<void>;
  unmount(): void;
}

const BALLAST = 'ballast';
const CHUNK = Buffer.alloc(64 * 1024, 1);

const mounted = new Set<string>();
process.once('exit', () => {
  for (const path of [...mounted].reverse()) unmount(path);
});

/** Why no file system can be mounted here; `null` when it can. */
export async function whyNoMount(dir: string): Promise<string | null> {
  const path = join(dir, 'mount-test');
  await mkdir(path);
  const reason = mount(path, 1);
  if (reason === null) unmount(path);
  return reason;
}

/** Mounts a tmpfs on a folder, which is made. @throws Error with what `mount` says */
export async function smallDisk(path: string, megabytes: number): Promise<SmallDisk> {
  await mkdir(path, { recursive: true });
  const reason = mount(path, megabytes);
  if (reason !== null) throw new Error(reason);
  const ballast = join(path, BALLAST);
  return {
    async fill(freeBytes) {
      const { bavail, bsize } = await statfs(path);
      await writeFile(ballast, '');
      const wanted = bavail * bsize - freeBytes;
      try {
        for (let written = 0; written < wanted; written += CHUNK.length) {
          await writeFile(ballast, CHUNK.subarray(0, Math.min(CHUNK.length, wanted - written)), { flag: 'a' });
        }
      } catch (error) {
        // The program, which goes on writing, took the last of it.
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      }
    },
    async makeRoom() {
      await truncate(ballast, 0);
      await unlink(ballast);
    },
    unmount: () => unmount(path),
  };
}

function mount(path: string, megabytes: number): string | null {
  const { status, stderr, error } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', path]);
  if (error !== undefined) return error.message;
  if (status !== 0) return stderr.toString().trim();
  mounted.add(path);
  return null;
}

/** Lazily: whoever was killed may still be on its way out. */
function unmount(path: string): void {
  if (mounted.delete(path)) spawnSync('umount', ['-l', path]);
}
