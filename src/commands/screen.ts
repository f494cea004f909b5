import { createLogUpdate } from 'log-update';
import { createLogger, type Logger } from '../io/logger.ts';
import type { Options } from './options.ts';

/** Standard error as people see it: log lines that scroll, and on a terminal a block below them that stays. */
export interface Screen {
  readonly logger: Logger;
  /** Whether somebody is watching; else progress goes into the log. */
  readonly live: boolean;
  /** Replaces the block. */
  show(block: string): void;
  /** Takes the block away. */
  clear(): void;
}

export function openScreen({ logLevel, logFormat }: Pick<Options, 'logLevel' | 'logFormat'>): Screen {
  const live = process.stderr.isTTY === true && logFormat === 'pretty' && logLevel !== 'silent';
  if (!live) {
    return {
      live,
      logger: createLogger({ level: logLevel, format: logFormat }),
      show: () => undefined,
      clear: () => undefined,
    };
  }
  const update = createLogUpdate(process.stderr);
  let block = '';
  const logger = createLogger({
    level: logLevel,
    format: logFormat,
    write: (line) => {
      update.clear();
      process.stderr.write(line);
      if (block !== '') update(block);
    },
  });
  return {
    live,
    logger,
    show(next) {
      block = next;
      update(block);
    },
    clear() {
      block = '';
      update.clear();
      update.done();
    },
  };
}
