import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import type { Under } from './processes.ts';

/** One thing that goes wrong at the n-th system call of a kind: the process is killed before it, or it fails. */
export interface Fault {
  readonly calls: string;
  readonly nth: number;
  /** `null` kills. */
  readonly error: string | null;
}

/** Whether strace is there and may trace. */
export function canTrace(): boolean {
  return (
    spawnSync('strace', ['-f', '-qq', '-o', '/dev/null', '-e', 'trace=fsync', process.execPath, '-e', '0']).status === 0
  );
}

/**
 * Runs a program under strace, which injects the fault. One thread does all file work, so that the n-th call is the
 * n-th of the program; and the tracer is not its parent, so that signals go to the program itself.
 */
export function faulty({ calls, nth, error }: Fault, tracePath: string): Under {
  const what = error === null ? 'signal=SIGKILL' : `error=${error}`;
  return {
    prefix: [
      ...['strace', '-D', '-f', '-qq', '-y', '-s', '0', '-o', tracePath],
      ...['-e', `trace=${calls}`, '-e', `inject=${calls}:${what}:when=${nth}`],
    ],
    env: { UV_THREADPOOL_SIZE: '1' },
  };
}

/** Where the fault happened, such as `after fdatasync(…/validator_tracker.sqlite-wal)`, if it did. */
export async function hit(tracePath: string, { error }: Fault): Promise<string | null> {
  const lines = (await readFile(tracePath, 'utf8')).trim().split('\n');
  const call = (line: string | undefined) => line?.replace(/^\d+\s+/, '').replace(/\s+=.*$/, '');
  if (error !== null) return call(lines.find((line) => line.includes('(INJECTED)'))) ?? null;
  if (!lines.some((line) => line.includes('killed by SIGKILL'))) return null;
  return `after ${call(lines.findLast((line) => line.includes(' = '))) ?? 'nothing'}`;
}
