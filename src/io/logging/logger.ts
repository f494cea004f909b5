import { destination, type Logger, pino } from 'pino';
import { prettyFactory } from 'pino-pretty';

export type { Logger };

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export const LOG_FORMATS = ['pretty', 'json'] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

export interface LoggerOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Where lines go; standard error unless something on the terminal has to be kept in place. */
  readonly write?: (line: string) => void;
}

/** Secrets never reach a line, whatever object is logged. */
const REDACTED = ['*.privateKey', 'privateKey', '*.apiKey', 'apiKey', '*.token', 'token', '*.password', 'password'];

/**
 * The program's logger: one JSON object a line, or text for people, coloured when the terminal has colours and `NO_COLOR`
 * is not set. A line is written before the call returns.
 */
export function createLogger({ level, format, write }: LoggerOptions): Logger {
  const sink = write === undefined ? destination({ fd: 2, sync: true }) : { write };
  return pino(
    { level, base: null, redact: { paths: REDACTED, censor: '[redacted]' } },
    format === 'json' ? sink : readable(sink),
  );
}

function readable(sink: { write(line: string): unknown }): { write(json: string): void } {
  const colorize = process.stderr.isTTY === true && process.stderr.hasColors();
  const lineOf = prettyFactory({ colorize, singleLine: true, translateTime: 'SYS:HH:MM:ss' });
  return {
    write(json) {
      sink.write(lineOf(json));
    },
  };
}
