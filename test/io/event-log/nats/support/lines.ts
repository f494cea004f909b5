import { createLogger, type Logger } from '../../../../../src/io/logging/logger.ts';

/** A logger, and the lines that it has been told from `info` on, each as its message. */
export function loggerWithLines(): { readonly logger: Logger; readonly lines: string[] } {
  const lines: string[] = [];
  const write = (line: string) => lines.push((JSON.parse(line) as { readonly msg: string }).msg);
  return { logger: createLogger({ level: 'info', format: 'json', write }), lines };
}
