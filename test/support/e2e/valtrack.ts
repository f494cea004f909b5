import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, vi } from 'vitest';

/** A line of the log on standard error. */
export interface LogLine extends Readonly<Record<string, unknown>> {
  readonly level: number;
  readonly msg: string;
}

/** The program in a process of its own. */
export interface Valtrack {
  readonly child: ChildProcess;
  /** The log so far. */
  readonly log: readonly LogLine[];
  /** Lines on standard error that are not of the log. */
  readonly said: readonly string[];
  stdout(): string;
  /** The first line of the log, so far or to come, that satisfies the condition. */
  line(condition: (line: LogLine) => boolean, timeoutMs?: number): Promise<LogLine>;
  /** The address of the HTTP API, once it is served. */
  url(): Promise<string>;
  /** Resolves with the exit code when the process is gone. */
  readonly exited: Promise<number | null>;
  /** Sends a signal and waits for the end. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

export interface ValtrackOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** What standard input holds; `null` leaves it open. */
  readonly stdin?: string | null;
}

export const CLI = fileURLToPath(new URL('../../../src/cli.ts', import.meta.url));

/** A test that fails leaves its processes behind. */
const running = new Set<ChildProcess>();
afterAll(() => {
  for (const child of running) child.kill('SIGKILL');
});

/** Starts `valtrack` with these arguments, and nothing from the environment that would change what they mean. */
export function valtrack(args: readonly string[], { env = {}, cwd, stdin }: ValtrackOptions = {}): Valtrack {
  const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('VALTRACK_')));
  const child = spawn(process.execPath, [CLI, ...args], {
    stdio: 'pipe',
    env: { ...inherited, ...env },
    ...(cwd === undefined ? {} : { cwd }),
  });
  running.add(child);
  if (stdin !== null) child.stdin.end(stdin);

  const log: LogLine[] = [];
  const said: string[] = [];
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk;
  });
  createInterface({ input: child.stderr }).on('line', (text) => {
    if (text.startsWith('{')) log.push(JSON.parse(text) as LogLine);
    else said.push(text);
  });
  const exited = once(child, 'close').then(([code]) => {
    running.delete(child);
    return code as number | null;
  });

  const line: Valtrack['line'] = async (condition, timeoutMs = 20_000) => {
    const found = () => {
      const first = log.find(condition);
      if (first !== undefined) return first;
      throw new Error(`not in the log: ${condition}\n${said.join('\n')}\n${log.map(({ msg }) => msg).join('\n')}`);
    };
    // Who is gone says no more.
    return Promise.race([vi.waitFor(found, { timeout: timeoutMs, interval: 50 }), exited.then(found)]);
  };

  return {
    child,
    log,
    said,
    stdout: () => stdout,
    line,
    url: async () => new URL(String((await line(({ msg }) => msg === 'serving'))['url'])).origin,
    exited,
    stop: (signal = 'SIGTERM') => {
      child.kill(signal);
      return exited;
    },
  };
}

/** Runs it to its end. */
export async function valtrackDone(args: readonly string[], options?: ValtrackOptions) {
  const program = valtrack(args, options);
  const code = await program.exited;
  return { code, stdout: program.stdout(), said: program.said, log: program.log };
}
