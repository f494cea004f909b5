import { afterEach, beforeEach } from 'vitest';
import { openTracker, type TrackerDatabase } from '../../src/io/storage/tracker/database.ts';
import { tempDir } from './temp-dir.ts';

/** A view in a new folder for each test of the file that calls this. */
export function trackerForEachTest(): { readonly path: string; readonly tracker: TrackerDatabase } {
  let folder: Awaited<ReturnType<typeof tempDir>>;
  let tracker: TrackerDatabase;
  beforeEach(async () => {
    folder = await tempDir();
    tracker = await openTracker(folder.path);
  });
  afterEach(async () => {
    await tracker.close();
    await folder.remove();
  });
  return {
    get path() {
      return folder.path;
    },
    get tracker() {
      return tracker;
    },
  };
}
