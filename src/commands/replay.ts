import { access, constants } from 'node:fs/promises';
import { count } from '../io/logging/texts.ts';
import { RECORDING_FORMATS } from '../io/recording/read-recording.ts';
import { replayProgram, replayRecordings } from '../programs/replay-program.ts';
import type { Options } from './options.ts';
import { openScreen } from './screen.ts';
import { listenForSignals } from './stopping.ts';
import { UsageError } from './usage-error.ts';

const STANDARD_INPUT = '-';

/**
 * `replay`: recorded events into the event log, from where `run` takes them, or through it to NATS. A signal ends it after
 * the batch in hand.
 */
export async function replay(options: Options, files: readonly string[]): Promise<number> {
  const signals = listenForSignals();
  const stopped = signals.first.then(() => null);
  await using stack = new AsyncDisposableStack();
  stack.defer(() => signals.release());
  await checkFiles(files);
  const { logger } = openScreen(options);
  const { dataDir, natsUrl = null, natsReplicas, consumerName, spoolMaxBytes, spoolMaxAgeMs } = options;
  const events = { natsUrl, natsReplicas, consumerName, spoolMaxBytes, spoolMaxAgeMs };
  const { parts } = await replayProgram({ dataDir, events, logger }).start(stack);
  const { appended, broken } = await replayRecordings({
    files,
    path: parts.events,
    toNats: natsUrl !== null,
    stopped,
    logger,
  });
  process.stdout.write(
    `${count(appended)} events were put into the event log, ${count(broken)} records were left out.\n`,
  );
  return 0;
}

/** Before anything is written, so that a mistyped name leaves nothing half done. */
async function checkFiles(files: readonly string[]): Promise<void> {
  for (const file of files) {
    if (!RECORDING_FORMATS.some((format) => (format === STANDARD_INPUT ? file === format : file.endsWith(format)))) {
      throw new UsageError(`${file} is no recording; allowed are ${RECORDING_FORMATS.join(' ')}`);
    }
    if (file === STANDARD_INPUT) continue;
    await access(file, constants.R_OK).catch((error: NodeJS.ErrnoException) => {
      throw new Error(`recording ${file} cannot be read (${error.code}); check the path`);
    });
  }
}
