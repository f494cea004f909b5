import { config } from 'rxjs';
import type { Logger } from '../io/logging/logger.ts';
import { counter } from '../io/metrics/metrics.ts';
import { type Part, partOf } from './part.ts';

/** Errors that nobody has caught: mistakes in this program, and what strangers bring about inside network libraries. */
export interface Faults {
  /** Resolves with the first mistake; it has been logged. */
  readonly first: Promise<Error>;
  /** Errors inside network libraries, by library. They have been logged and end nothing. */
  readonly strays: ReadonlyMap<string, number>;
  release(): void;
}

/**
 * Where bytes of strangers are read. What goes wrong in there concerns one connection, and whoever could end the program
 * by it would have a weapon; so it is counted, and no number of it is too many.
 */
const NETWORK_LIBRARY =
  /\/node_modules\/((?:@libp2p|@chainsafe|@multiformats|@hono|@dnsquery)\/[^/]+|libp2p|it-[^/]+|race-[^/]+|uint8[^/]+|protons-runtime|multiformats|abort-error|any-signal|mortice|p-[^/]+)\//;
/** The operating system's words for a connection that has ended, which a socket says when nobody listens any more. */
const CONNECTION_ENDED = /^(ECONNRESET|ECONNABORTED|ECONNREFUSED|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EHOSTDOWN)$/;
/** Strays are logged in full, but not more often than this for one library: a stranger must not fill the disk either. */
const LOG_EVERY_MS = 60_000;

/** Hears of every error that nobody has caught, until released. */
export function listenForFaults(logger: Logger, now: () => number = Date.now): Faults {
  const { promise: first, resolve } = Promise.withResolvers<Error>();
  const strays = new Map<string, number>();
  const loggedMs = new Map<string, number>();

  function stray(library: string, error: Error): void {
    const count = (strays.get(library) ?? 0) + 1;
    strays.set(library, count);
    if (now() - (loggedMs.get(library) ?? Number.NEGATIVE_INFINITY) < LOG_EVERY_MS) return;
    loggedMs.set(library, now());
    logger.warn({ err: error, library, count }, 'an error in a network library was not caught; it ends nothing');
  }

  function onFault(thrown: unknown): void {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    const library = libraryOf(error);
    if (library !== null) {
      stray(library, error);
      return;
    }
    logger.fatal({ err: error, where: whereOf(error) }, 'a mistake in the program: an error was not caught');
    resolve(error);
  }

  const { onUnhandledError } = config;
  config.onUnhandledError = onFault;
  process.on('unhandledRejection', onFault);
  process.on('uncaughtException', onFault);
  return {
    first,
    strays,
    release() {
      config.onUnhandledError = onUnhandledError;
      process.off('unhandledRejection', onFault);
      process.off('uncaughtException', onFault);
    },
  };
}

/** The network library in which an error was made, `null` when it was made elsewhere. */
export function libraryOf(error: Error): string | null {
  const [innermost] = framesOf(error);
  if (innermost !== undefined) return NETWORK_LIBRARY.exec(innermost)?.[1] ?? null;
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (syscall !== undefined && code !== undefined && CONNECTION_ENDED.test(code)) return `socket ${code}`;
  // Timeouts of signals are made by Node itself, errors of the QUIC library outside of JavaScript.
  if (error.name === 'TimeoutError' || error.name === 'AbortError') return 'abort signal';
  return code === 'GenericFailure' ? '@chainsafe/libp2p-quic' : null;
}

/** Lines of the stack from the innermost outwards, without those of Node itself. */
function framesOf({ stack = '', message }: Error): string[] {
  // A stranger may have worded the message, and could put lines into it that look like these.
  const from = stack.indexOf(message);
  const frames = from === -1 ? stack : stack.slice(from + message.length);
  return frames.split('\n').filter((line) => /^\s+at .*[/\\]/.test(line) && !line.includes('node:'));
}

/** Where in our own code an error was made or passed through. */
function whereOf(error: Error): string | undefined {
  const own = framesOf(error).find((line) => !/\/node_modules\/(?!valtrack\/)/.test(line));
  return own === undefined ? undefined : /((?:src|dist)\/[^:)]+:\d+)/.exec(own)?.[1];
}

/** Tells in the metrics of errors that ended nothing. */
export function straysPart({ strays }: Pick<Faults, 'strays'>): Part {
  const metric = counter(
    'uncaught_network_errors_total',
    'Errors in network libraries that nobody caught',
    ['library'],
    (set) => {
      for (const [library, count] of strays) set({ library }, count);
    },
  );
  return partOf('errors of network libraries', { metrics: [metric] });
}
