import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** What a process, or a folder, uses at a moment. */
export interface Sample {
  readonly atMs: number;
  readonly value: number;
}

/** Resident memory in bytes, of Linux. */
export async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? Number.NaN) * 1024;
}

export async function openFiles(pid: number): Promise<number> {
  return (await readdir(`/proc/${pid}/fd`)).length;
}

/** Bytes of all files in a folder; files that vanish meanwhile count as gone. */
export async function folderBytes(path: string): Promise<number> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  const sizes = await Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map((entry) =>
        stat(join(entry.parentPath, entry.name)).then(
          ({ size }) => size,
          () => 0,
        ),
      ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

export interface Trend {
  readonly mean: number;
  readonly max: number;
  /** By the line of least squares, over the time from the first sample to the last. */
  readonly growth: number;
}

export function trendOf(samples: readonly Sample[]): Trend {
  const values = samples.map(({ value }) => value);
  const mean = average(values);
  const times = samples.map(({ atMs }) => atMs);
  const meanMs = average(times);
  const covariance = samples.reduce((sum, { atMs, value }) => sum + (atMs - meanMs) * (value - mean), 0);
  const variance = times.reduce((sum, atMs) => sum + (atMs - meanMs) ** 2, 0);
  const spanMs = (times.at(-1) ?? 0) - (times[0] ?? 0);
  return { mean, max: Math.max(...values), growth: variance === 0 ? 0 : (covariance / variance) * spanMs };
}

function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}
