import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { until } from './waiting.ts';

/** A line of the log on standard error. */
export interface LogLine extends Readonly<Record<string, unknown>> {
  readonly level: number;
  readonly msg: string;
}

/** A process of the harness. Its standard error is kept in a file, the newest lines of its log here too. */
export interface Program {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly log: readonly LogLine[];
  /** Lines on standard error that are not of the log, the newest. */
  readonly said: readonly string[];
  isRunning(): boolean;
  /** Resolves with the exit code, or `null` after a signal. */
  readonly exited: Promise<number | null>;
  /** Whether the harness asked it to end. */
  wasEnded(): boolean;
  /** Sends a signal and waits for the end. */
  end(signal: NodeJS.Signals): Promise<number | null>;
  /** Sends a signal and does not wait. */
  signal(signal: NodeJS.Signals): void;
  line(what: string, condition: (line: LogLine) => boolean, timeoutMs?: number): Promise<LogLine>;
}

export interface ProgramOptions {
  readonly stderrPath: string;
  /** Called with each whole line of standard output. */
  readonly onLine?: (line: string) => void;
  readonly env?: Readonly<Record<string, string>>;
}

/** What a program is started with, such as a tracer that becomes it. */
export interface Under {
  readonly prefix: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

const KEPT_LINES = 500;
const CLI = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));

/** All that run, with the file of their standard error. */
const running = new Map<ChildProcess, string>();
process.once('exit', () => {
  for (const child of running.keys()) child.kill('SIGKILL');
});

/** Ends every process that is left of those that write into a folder, by its id. */
export async function endAll(dir: string): Promise<void> {
  const left = [...running].filter(([, path]) => path.startsWith(`${dir}/`)).map(([child]) => child);
  const gone = left.map((child) => once(child, 'exit'));
  for (const child of left) child.kill('SIGKILL');
  await Promise.all(gone);
}

/** The `valtrack` command. */
export function valtrack(args: readonly string[], options: ProgramOptions, under?: Under): Program {
  return node([CLI, ...args], options, under);
}

export function node(args: readonly string[], options: ProgramOptions, under?: Under): Program {
  const [command = '', ...others] = [...(under?.prefix ?? []), process.execPath, ...args];
  return program(command, others, { ...options, ...(under && { env: under.env }) });
}

/** With nothing from the environment that would change what the arguments of `valtrack` mean. */ export function program(
  command: string,
  args: readonly string[],
  options: ProgramOptions,
): Program {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('VALTRACK_'));
  const child = spawn(command, args, {
    stdio: 'pipe',
    env: { ...Object.fromEntries(inherited), ...options.env },
  });
  running.set(child, options.stderrPath);
  const { pid } = child;
  if (pid === undefined) throw new Error(`${command} cannot be started`);
  // Whoever is killed reads no more.
  child.stdin.on('error', () => undefined);

  const log: LogLine[] = [];
  const said: string[] = [];
  const errors = createWriteStream(options.stderrPath, { flags: 'a' });
  eachLine(child.stderr, (text) => {
    errors.write(`${text}\n`);
    if (text.startsWith('{')) keep(log, JSON.parse(text) as LogLine);
    else keep(said, text);
  });
  eachLine(child.stdout, options.onLine ?? (() => undefined));

  let hasExited = false;
  let ended = false;
  const exited = once(child, 'close').then(([code]) => {
    hasExited = true;
    running.delete(child);
    errors.end();
    return code as number | null;
  });
  const signal = (name: NodeJS.Signals) => {
    ended = true;
    child.kill(name);
  };

  return {
    child,
    pid,
    log,
    said,
    exited,
    isRunning: () => !hasExited,
    wasEnded: () => ended,
    signal,
    end(name) {
      signal(name);
      return exited;
    },
    async line(what, condition, timeoutMs = 30_000) {
      await until(what, timeoutMs, () => hasExited || log.some(condition));
      const found = log.find(condition);
      if (found !== undefined) return found;
      const last = [...said.slice(-3), ...log.slice(-3).map(({ msg }) => msg)].join(' | ');
      throw new Error(`waited in vain, since it has ended: ${what}; ${last}`);
    },
  };
}

function keep<T>(list: T[], item: T): void {
  list.push(item);
  if (list.length > KEPT_LINES) list.splice(0, KEPT_LINES / 2);
}

/** Whole lines only: what a killed process had begun to say is no line. */
function eachLine(stream: NodeJS.ReadableStream, onLine: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line);
  });
}
