import { destination, type Logger, pino } from 'pino';
import pretty from 'pino-pretty';

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

/** The program's logger: one JSON object a line, or coloured text for people. */
export function createLogger({ level, format, write }: LoggerOptions): Logger {
  const sink = write === undefined ? destination({ fd: 2, sync: true }) : { write };
  const stream =
    format === 'json'
      ? sink
      : pretty({
          destination: sink as never,
          sync: true,
          ignore: 'pid,hostname',
          translateTime: 'SYS:HH:MM:ss',
          colorize: process.stderr.isTTY,
        });
  return pino({ level, base: null, redact: { paths: REDACTED, censor: '[redacted]' } }, stream);
}
