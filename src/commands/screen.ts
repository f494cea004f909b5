import { createLogUpdate } from 'log-update';
import { createLogger, type Logger } from '../io/logging/logger.ts';
import type { Options } from './options.ts';

/** Standard error as people see it: log lines that scroll, and on a terminal a block below them that stays. */
export interface Screen {
  readonly logger: Logger;
  /** Whether somebody is watching a terminal that can redraw; else progress goes into the log. */
  readonly live: boolean;
  /** Replaces the block with what `render` makes for the width of the terminal. */
  show(render: (columns: number) => string): void;
  /** Takes the block away and gives the cursor back. */
  clear(): void;
}

const DEFAULT_COLUMNS = 80;

/** `TERM=dumb`, as screen readers and editors set it, gets lines and never a block that redraws itself. */
export function openScreen({ logLevel: level, logFormat: format }: Pick<Options, 'logLevel' | 'logFormat'>): Screen {
  const { stderr } = process;
  const live = stderr.isTTY === true && process.env['TERM'] !== 'dumb' && format === 'pretty' && level !== 'silent';
  if (!live) return { live, logger: createLogger({ level, format }), show: () => undefined, clear: () => undefined };

  const update = createLogUpdate(stderr);
  let block = '';
  return {
    live,
    logger: createLogger({
      level,
      format,
      write(line) {
        update.clear();
        stderr.write(line);
        if (block !== '') update(block);
      },
    }),
    show(render) {
      block = render(stderr.columns ?? DEFAULT_COLUMNS);
      update(block);
    },
    clear() {
      block = '';
      update.clear();
      update.done();
    },
  };
}
