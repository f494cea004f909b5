import type { ComponentLogger, Logger } from '@libp2p/interface';

/** libp2p makes dozens of loggers a node; one that says nothing serves them all. */
const SILENT_LOGGER: Logger = Object.assign(() => undefined, {
  enabled: false,
  error: () => undefined,
  trace: () => undefined,
  newScope: () => SILENT_LOGGER,
});

export const SILENT: ComponentLogger = { forComponent: () => SILENT_LOGGER };
