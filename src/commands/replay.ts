import { contentEventId, parseEventId } from '../consensus/event-id.ts';
import { readRecording } from '../io/recording.ts';
import type { LogEntry } from '../streams/ports/event-log.ts';
import { prepareDataFolder } from './data-folder.ts';
import { openEventPath } from './event-path.ts';
import type { Options } from './options.ts';
import { openScreen } from './screen.ts';

const BATCH = 1_000;

/** `replay`: recorded events into the event log, from where `run` or `consumer` takes them. Replaying twice changes nothing. */
export async function replay(options: Options, files: readonly string[]): Promise<number> {
  const { logger } = openScreen(options);
  const dataDir = await prepareDataFolder(options.dataDir);
  await using stack = new AsyncDisposableStack();
  const { spool } = await openEventPath({ ...options, natsMayBeAway: false }, dataDir, stack, logger);
  let appended = 0;
  let broken = 0;
  for (const file of files) {
    const recording = readRecording(file, {
      onBroken: ({ line, reason }) => {
        broken++;
        logger.warn({ file, line, reason }, 'a record was left out');
      },
    });
    let batch: LogEntry[] = [];
    for await (const { subject, payload } of recording) {
      batch.push({ subject, payload, eventId: eventIdOf(subject, payload) });
      if (batch.length < BATCH) continue;
      await spool.append(batch);
      appended += batch.length;
      batch = [];
    }
    await spool.append(batch);
    appended += batch.length;
  }
  process.stdout.write(`${appended} events were put into the event log, ${broken} records were left out.\n`);
  return 0;
}

/** The id that the event carries, or one made of its bytes. */
function eventIdOf(subject: string, payload: Uint8Array): string {
  const event = JSON.parse(new TextDecoder().decode(payload)) as { event_id?: unknown };
  const { event_id: id } = event;
  return typeof id === 'string' && parseEventId(id) !== null ? id : contentEventId(subject, payload);
}
