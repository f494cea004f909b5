import { exists } from '../files/disk-steps.ts';
import { type FileSteps, fileSteps } from './file-steps.ts';
import { type FinishedFile, finishedFiles, folderOf, partitionsIn } from './finished-files.ts';
import type { Replacements } from './replacements.ts';
import type { Partition } from './staging.ts';

export interface UpkeepLimits {
  /** How long after they were stored rows keep their addresses; infinite for ever. */
  readonly keepAddressesMs: number;
  /** How long rows are kept. */
  readonly keepObservationsMs: number;
  /** Small files are merged up to this size; one of half of it is not small. */
  readonly mergeBytes: number;
}

/** What became of files. */
export interface UpkeepCounts {
  /** Small ones that larger ones have replaced, and those. */
  readonly merged: number;
  readonly mergedInto: number;
  /** Those whose addresses were removed. */
  readonly anonymised: number;
  readonly dropped: number;
}

/** Keeps the finished files few, and no older than they may be. */
export interface ParquetUpkeep {
  /**
   * One look at every file. A partition that fails does not keep the others from their turn; the first failure is thrown
   * at the end.
   */
  pass(nowMs: number, signal: AbortSignal): Promise<void>;
  counts(): UpkeepCounts;
}

export interface UpkeepOptions extends UpkeepLimits {
  readonly directory: string;
  readonly replacements: Replacements;
  readonly steps?: FileSteps;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

export function parquetUpkeep(options: UpkeepOptions): ParquetUpkeep {
  const { directory, replacements, keepAddressesMs, keepObservationsMs, mergeBytes, steps = fileSteps } = options;
  const counts = { merged: 0, mergedInto: 0, anonymised: 0, dropped: 0 };

  /** Rows are dropped with their file, which is one step of the disk. */
  async function drop(folder: string, beforeMs: number): Promise<void> {
    const old = (await finishedFiles(folder)).filter(({ storedMs }) => storedMs < beforeMs);
    for (const { path } of old) {
      await steps.remove(path);
      counts.dropped++;
    }
    if (old.length > 0) await steps.sync(folder);
  }

  async function anonymise(partition: Partition, beforeMs: number, signal: AbortSignal): Promise<void> {
    const files = await finishedFiles(folderOf(directory, partition));
    const isDue = ({ isAnonymous, storedMs }: FinishedFile) => !isAnonymous && storedMs < beforeMs;
    for (const group of groupsOf(files, mergeBytes, isDue)) {
      await replacements.replace(partition, group, { isAnonymous: true, signal });
      counts.anonymised += group.length;
    }
  }

  async function merge(partition: Partition, nowMs: number, signal: AbortSignal): Promise<void> {
    const files = await finishedFiles(folderOf(directory, partition));
    const newestMs = Math.max(...files.map(({ storedMs }) => storedMs));
    const today = new Date(nowMs).toISOString().slice(0, 10);
    if (partition.date >= today || newestMs > nowMs - HOUR_MS) return;
    for (const isAnonymous of [false, true]) {
      const isSmall = (file: FinishedFile) => file.isAnonymous === isAnonymous && file.bytes < mergeBytes / 2;
      for (const group of groupsOf(files, mergeBytes, isSmall).filter(({ length }) => length > 1)) {
        await replacements.replace(partition, group, { isAnonymous, signal });
        counts.merged += group.length;
        counts.mergedInto++;
      }
    }
  }

  return {
    counts: () => ({ ...counts }),

    async pass(nowMs, signal) {
      await replacements.recover();
      const failures: unknown[] = [];
      for (const partition of await partitionsIn(directory)) {
        signal.throwIfAborted();
        const folder = folderOf(directory, partition);
        if (!(await exists(folder))) continue;
        try {
          await drop(folder, nowMs - keepObservationsMs);
          await anonymise(partition, nowMs - keepAddressesMs, signal);
          await merge(partition, nowMs, signal);
        } catch (error) {
          failures.push(error);
        }
      }
      if (failures.length > 0) throw failures[0];
    },
  };
}

/**
 * Runs of neighbours that qualify, each of at most so many bytes unless one file alone has more, and stored on the same
 * day: what is merged is kept as long as its newest rows, however often it is merged.
 */
function groupsOf(
  files: readonly FinishedFile[],
  maxBytes: number,
  qualifies: (file: FinishedFile) => boolean,
): FinishedFile[][] {
  const groups: FinishedFile[][] = [];
  let group: FinishedFile[] = [];
  const end = () => {
    if (group.length > 0) groups.push(group);
    group = [];
  };
  for (const file of files) {
    if (!qualifies(file)) {
      end();
      continue;
    }
    const together = [...group, file];
    const bytes = together.reduce((sum, one) => sum + one.bytes, 0);
    const days = new Set(together.map(({ storedMs }) => Math.floor(storedMs / DAY_MS)));
    if (bytes > maxBytes || days.size > 1) end();
    group.push(file);
  }
  end();
  return groups;
}
