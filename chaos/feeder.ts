import { createInterface } from 'node:readline';
import { asyncScheduler, lastValueFrom, Subject, tap } from 'rxjs';
import { parseCommandLine } from '../src/commands/command-line.ts';
import { commandLineSource, readOptions } from '../src/commands/options.ts';
import { eventIds } from '../src/consensus/event-id.ts';
import { createLogger } from '../src/io/logging/logger.ts';
import { startEventPath } from '../src/programs/event-path/event-path.ts';
import type { LogEntry } from '../src/streams/ports/event-log.ts';
import { record } from '../src/streams/record.ts';

/**
 * A sentry without its network: the event path of `valtrack sentry`, with observations that the harness makes up.
 * Standard input has a line an event, `{ serial, subject, wire }`, or with a `payload` in base64 for a bad one; standard output answers `<serial> <event id>` once it
 * is on disk, and `! <serial> <reason>` when it was refused. The line `?` asks how the path is: `? <reason or nothing>`.
 * SIGTERM and the end of the input end it in good order.
 *
 * `node chaos/feeder.ts` with the options of `valtrack sentry`.
 */

type Order = { readonly serial: number; readonly subject: string } & (
  | { readonly wire: object }
  | { readonly payload: string }
);

interface Fed {
  readonly serial: number;
  readonly entries: readonly LogEntry[];
}

/** As in the sentry. */
const RECORD = { batchMs: 20, batchSize: 500, scheduler: asyncScheduler };

const call = await parseCommandLine(['sentry', ...process.argv.slice(2)]);
const options = readOptions(commandLineSource(call?.texts ?? {}));
const logger = createLogger({ level: 'info', format: 'json' });
const say = (line: string) => process.stdout.write(`${line}\n`);

const stack = new AsyncDisposableStack();
const { natsUrl = null, dataDir, natsReplicas, consumerName, spoolMaxBytes, spoolMaxAgeMs } = options;
const path = await startEventPath({
  natsUrl,
  dataDir,
  natsReplicas,
  consumerName,
  spoolMaxBytes,
  spoolMaxAgeMs,
  natsMayBeAway: true,
  isRead: false,
  logger,
});
stack.defer(() => path.stop());
const nextEventId = eventIds();

/** The harness bounds what waits here: it sends no more while hundreds are unanswered. */
const fed = new Subject<Fed>();
const recording = lastValueFrom(
  fed.pipe(
    record(path.log, RECORD),
    tap(({ item: { serial, entries }, failure }) => {
      say(failure === null ? `${serial} ${entries[0]?.eventId}` : `! ${serial} ${failure.cause}: ${failure.detail}`);
    }),
  ),
  { defaultValue: null },
);

const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => {
  if (line === '?') {
    Promise.all(path.checks.map(({ reason }) => reason())).then(
      (reasons) => say(`? ${reasons.filter(Boolean).join('; ')}`),
      (error: unknown) => fed.error(error),
    );
    return;
  }
  const { serial, subject, ...event } = JSON.parse(line) as Order;
  const eventId = nextEventId();
  const payload =
    'wire' in event
      ? new TextEncoder().encode(JSON.stringify({ ...event.wire, event_id: eventId }))
      : new Uint8Array(Buffer.from(event.payload, 'base64'));
  fed.next({ serial, entries: [{ subject, eventId, payload }] });
});
lines.on('close', () => fed.complete());
process.on('SIGTERM', () => lines.close());
say('ready');

await recording;
await stack.disposeAsync();
process.exit(0);
