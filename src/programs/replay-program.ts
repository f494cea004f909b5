import { firstValueFrom, race } from 'rxjs';
import { contentEventId, parseEventId } from '../consensus/event-id.ts';
import type { Logger } from '../io/logging/logger.ts';
import { type RecordedEvent, readRecording } from '../io/recording/read-recording.ts';
import type { EventLog, LogEntry } from '../streams/ports/event-log.ts';
import { emptied } from './event-path/drain.ts';
import { type EventPath, type EventPathOptions, startEventPath } from './event-path/event-path.ts';
import { takeFolder } from './folder.ts';
import { program } from './program.ts';

export interface ReplaySettings {
  readonly dataDir: string;
  readonly events: Omit<EventPathOptions, 'dataDir' | 'natsMayBeAway' | 'isRead' | 'logger'>;
  readonly logger: Logger;
}

/** The way into the event log, and nobody else in the folder: two would let go of entries that the other's readers still want. */
export function replayProgram({ dataDir, events, logger }: ReplaySettings) {
  return program()
    .with('folder', () => takeFolder(dataDir, ['sentry']))
    .with('events', ({ folder }) =>
      startEventPath({ ...events, dataDir: folder.path, natsMayBeAway: false, isRead: false, logger }),
    );
}

/** What has become of the records so far. */
export interface ReplayTally {
  appended: number;
  broken: number;
}

export interface ReplayOptions {
  readonly files: readonly string[];
  readonly path: Pick<EventPath, 'spool'>;
  /** Whether the events go on to NATS, which is then waited for. */
  readonly toNats: boolean;
  /** Resolves to `null` when it is to end after the batch in hand. */
  readonly stopped: Promise<null>;
  readonly logger: Logger;
}

const BATCH = 1_000;

/**
 * Feeds recordings into the log. Replaying twice changes nothing, so one that was interrupted is simply started again.
 * @throws Error that names the recording that has failed
 */
export async function replayRecordings(options: ReplayOptions): Promise<ReplayTally> {
  const { files, path, toNats, stopped, logger } = options;
  const tally: ReplayTally = { appended: 0, broken: 0 };
  for (const file of files) {
    const isWhole = await replayFile(file, path.spool, tally, stopped, logger).catch((error: unknown) => {
      throw new Error(`recording ${file} failed: ${error instanceof Error ? error.message : String(error)}`);
    });
    if (!isWhole) break;
  }
  if (toNats) await firstValueFrom(race(emptied(path.spool), stopped));
  return tally;
}

/** False when it was stopped before the end of the file. */
async function replayFile(
  file: string,
  log: Pick<EventLog, 'append'>,
  tally: ReplayTally,
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
