import { MAX_EVENT_BYTES, SUBJECTS } from '../../consensus/events.ts';
import { EventLogUsageError, type LogEntry } from '../../streams/ports/event-log.ts';

/** What goes into a NATS header and a log line as it is. */
const EVENT_ID = /^[\x21-\x7e]{1,256}$/;
const ALLOWED_SUBJECTS: ReadonlySet<string> = new Set(SUBJECTS);

/**
 * Refuses entries that could be appended here and never handed on: in a spool they would hold up all others for ever.
 * @throws EventLogUsageError
 */
export function checkEntries(entries: readonly LogEntry[]): void {
  for (const { subject, eventId, payload } of entries) {
    if (!EVENT_ID.test(eventId)) throw new EventLogUsageError(`${JSON.stringify(eventId)} is no event id`);
    if (!ALLOWED_SUBJECTS.has(subject)) {
      throw new EventLogUsageError(
        `event ${eventId} has the subject ${JSON.stringify(subject)}, which the log does not take`,
      );
    }
    if (payload.length > MAX_EVENT_BYTES) {
      throw new EventLogUsageError(`event ${eventId} has ${payload.length} bytes, more than ${MAX_EVENT_BYTES}`);
    }
  }
}
