import { access, constants } from 'node:fs/promises';
import { firstValueFrom } from 'rxjs';
import { contentEventId, parseEventId } from '../consensus/event-id.ts';
import type { Logger } from '../io/logging/logger.ts';
import { RECORDING_FORMATS, type RecordedEvent, readRecording } from '../io/recording/read-recording.ts';
import { prepareFolder } from '../io/storage/files/data-folder.ts';
import { lockFolder } from '../io/storage/files/folder-lock.ts';
import { emptied, openEventPath } from '../programs/event-path/event-path.ts';
import type { EventLog, LogEntry } from '../streams/ports/event-log.ts';
import type { Options } from './options.ts';
import { openScreen } from './screen.ts';
import { listenForSignals } from './stopping.ts';
import { count } from './texts.ts';
import { UsageError } from './usage-error.ts';

const BATCH = 1_000;
const STANDARD_INPUT = '-';

/**
 * `replay`: recorded events into the event log, from where `run` takes them, or through it to NATS. A signal ends it after
 * the batch in hand. Replaying twice changes nothing, so one that was interrupted is simply started again.
 */
export async function replay(options: Options, files: readonly string[]): Promise<number> {
  const signals = listenForSignals();
  const stopped = signals.first.then(() => null);
  await using stack = new AsyncDisposableStack();
  stack.defer(() => signals.release());
  await checkFiles(files);
  const { logger } = openScreen(options);
  const dataDir = await prepareFolder(options.dataDir, '--data-dir');
  // The event log remembers what it holds: two processes would let go of entries that the other's readers still want.
  const lock = await lockFolder(dataDir, 'sentry');
  stack.defer(() => lock.release());
  const { spool, nats } = await openEventPath({ ...options, natsMayBeAway: false }, dataDir, stack, logger);
  const tally: Tally = { appended: 0, broken: 0 };
  for (const file of files) {
    const finished = await replayFile(file, spool, tally, stopped, logger).catch((error: unknown) => {
      throw new Error(`recording ${file} failed: ${error instanceof Error ? error.message : String(error)}`);
    });
    if (!finished) break;
  }
  if (nats !== null) await Promise.race([firstValueFrom(emptied(spool)), stopped]);
  process.stdout.write(
    `${count(tally.appended)} events were put into the event log, ${count(tally.broken)} records were left out.\n`,
  );
  return 0;
}

interface Tally {
  appended: number;
  broken: number;
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

/** False when it was stopped before the end of the file. */
async function replayFile(
  file: string,
  log: Pick<EventLog, 'append'>,
  tally: Tally,
  stopped: Promise<null>,
  logger: Logger,
): Promise<boolean> {
  const recording = readRecording(file, {
    onBroken: ({ line, reason }) => {
      tally.broken++;
      logger.warn({ file, line, reason }, 'a record was left out');
    },
  });
  let batch: LogEntry[] = [];
  const append = async () => {
    await log.append(batch);
    tally.appended += batch.length;
    batch = [];
  };
  for (;;) {
    // Standard input may be silent for ever; a signal is heard all the same.
    const next = await Promise.race([recording.next(), stopped]);
    if (next === null || next.done) {
      await append();
      return next !== null;
    }
    batch.push(entryOf(next.value));
    if (batch.length === BATCH) await append();
  }
}

/** With the id that the event carries, or one made of its bytes. */
function entryOf({ subject, payload }: RecordedEvent): LogEntry {
  const { event_id: id } = JSON.parse(new TextDecoder().decode(payload)) as { event_id?: unknown };
  const eventId = typeof id === 'string' && parseEventId(id) !== null ? id : contentEventId(subject, payload);
  return { subject, payload, eventId };
}
