import { prepareFolder } from '../io/storage/files/data-folder.ts';
import { type FolderRole, lockFolder } from '../io/storage/files/folder-lock.ts';
import { type Part, partOf } from './part.ts';

/** The data folder, which nobody else may have meanwhile. */
export interface Folder extends Part {
  /** Absolute. */
  readonly path: string;
}

/**
 * Makes the folder if it is missing and takes it for its roles.
 * @throws FolderInUseError when another process has it; Error with the remedy when it cannot be used
 */
export async function takeFolder(dataDir: string, roles: readonly FolderRole[]): Promise<Folder> {
  const path = await prepareFolder(dataDir, '--data-dir');
  await using stack = new AsyncDisposableStack();
  for (const role of roles) {
    const lock = await lockFolder(path, role);
    stack.defer(() => lock.release());
  }
  const locks = stack.move();
  return { ...partOf('the data folder', { stop: () => locks.disposeAsync() }), path };
}
