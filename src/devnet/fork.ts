import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FromChild, ToChild } from './child-messages.ts';
import type { DevnetOptions } from './devnet.ts';
import type { DevnetFile } from './network-file.ts';

/** The part of the program's logger that is used here. */
export interface ForkLogger {
  debug(details: object, message: string): void;
  error(details: object, message: string): void;
}

export interface ForkedDevnet {
  /** The truth as it was when the devnet had started. */
  readonly network: DevnetFile;
  readonly networkPath: string;
  /** Where nodes write what they hold against their peers; no such file where they are lenient. */
  readonly penaltiesPath: string;
  /** Ends the devnet and resolves when its process is gone. */
  stop(): Promise<void>;
}

const STOP_TIMEOUT_MS = 10_000;

/**
 * Runs a devnet in a process of its own, so that it does not compete with the crawler for one thread. The process ends
 * when this one does, however that happens.
 * @param signal ends the start; nothing writes into the folder any more when this has rejected
 * @throws Error with the child's message when the devnet does not start.
 */
export async function forkDevnet(
  options: Omit<DevnetOptions, 'onProblem'>,
  logger?: ForkLogger,
  signal?: AbortSignal,
): Promise<ForkedDevnet> {
  const child = fork(childModule(), [], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'], execArgv: [] });
  const exited = once(child, 'exit');
  let stopping = false;

  const started = Promise.withResolvers<Omit<ForkedDevnet, 'stop'>>();
  child.on('error', (error) => started.reject(error));
  child.on('message', (message: FromChild) => {
    if (message.kind === 'started') started.resolve(message);
    else if (message.kind === 'failed') started.reject(new Error(message.reason));
    else logger?.debug(message, 'devnet: trouble with a peer');
  });
  child.on('exit', (code, signal) => {
    started.reject(new Error(`the devnet's process ended before it had started (${signal ?? `exit code ${code}`})`));
    if (!stopping) logger?.error({ code, signal }, 'the devnet has ended by itself');
  });
  send(child, { kind: 'start', options });
  const abort = () => {
    stopping = true;
    child.kill('SIGKILL');
  };
  signal?.addEventListener('abort', abort);
  if (signal?.aborted) abort();

  const stop = async () => {
    stopping = true;
    if (child.connected) child.disconnect();
    const timer = AbortSignal.timeout(STOP_TIMEOUT_MS);
    const kill = () => child.kill('SIGKILL');
    timer.addEventListener('abort', kill);
    await exited;
    timer.removeEventListener('abort', kill);
  };

  try {
    return { ...(await started.promise), stop };
  } catch (error) {
    await stop();
    throw error;
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}

function send(child: ChildProcess, message: ToChild): void {
  child.send(message);
}

/** `child.ts` beside this file, or `child.js` when this is the compiled program. */
function childModule(): string {
  const here = fileURLToPath(import.meta.url);
  return fileURLToPath(new URL(`./child${extname(here)}`, import.meta.url));
}
