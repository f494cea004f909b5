import { join } from 'node:path';
import { headers } from 'nats';
import { from, lastValueFrom, mergeMap } from 'rxjs';
import { type BadEvent, type BadEventMaker, badEventMaker } from '../support/bad-events.ts';
import { ask } from '../support/consumer.ts';
import { type StreamWatch, startNats } from '../support/nats.ts';
import { openPipeline, type Pipeline } from '../support/pipeline.ts';
import type { ChaosContext, Outcome, Scenario } from '../support/scenario.ts';
import { pause } from '../support/waiting.ts';

/** Bad events between good ones: each bad one is put aside once with its reason, and the good ones do not notice. */
export const poison: Scenario = { name: 'poison', about: 'malformed, truncated, oversized and hostile events', run };

const FULL = { good: 10_000, bad: 10_000 };
const SHORT = { good: 2_000, bad: 2_000 };
/** Of the bad ones, how many go through the spool of the sentry. */
const SPOOLED_SHARE = 0.2;
const IN_FLIGHT = 50;
const DRAIN_MS = 120_000;
/** The spool keeps what was read until that is certain. */
const LEFT_MS = 30_000;
const BURST = 50;
const BURST_MS = 20;
const EXAMPLES = 10;
/** Enough to see what it was. */
const KEPT_BYTES = 1_024;

interface DeadLetter {
  readonly position: number;
  readonly event_id: string;
  readonly subject: string;
  readonly reason: string;
  readonly payload: Uint8Array;
  readonly payload_bytes: number;
}

async function run(context: ChaosContext): Promise<Outcome> {
  const { dir, random, short, say } = context;
  const { good, bad } = short ? SHORT : FULL;
  const nats = await startNats(join(dir, 'nats'));
  const pipeline = await openPipeline({
    dir,
    random,
    natsUrl: nats.url,
    ackWaitMs: 30_000,
    // As somebody may have made it: it takes what valtrack does not know.
    subjects: ['events.>'],
  });
  await pipeline.feeder.start();
  await pipeline.consumer.start();
  const { pid } = pipeline.consumer.program();

  const making = badEventMaker(random('bad'), Date.now());
  const spooled = Math.round(bad * SPOOLED_SHARE);
  const flowing = pipeline.flow(() => (pipeline.ledger.committed.size >= good ? null : good));
  const [published] = await Promise.all([
    publishAll(
      pipeline.stream,
      Array.from({ length: bad - spooled }, () => making.next()),
    ),
    spoolAll(pipeline, spoolable(making, spooled)),
    flowing,
  ]);
  say(`${pipeline.ledger.committed.size} good and ${bad} bad events are under way`);
  await pipeline.drained(DRAIN_MS);
  const left = await pipeline.left(LEFT_MS);

  const problems: string[] = [];
  if (pipeline.consumer.program().pid !== pid || !pipeline.consumer.program().isRunning()) {
    problems.push('the consumer did not live through it');
  }
  const unready = await pipeline.consumer.unready();
  if (unready !== null) problems.push(`the consumer is not ready: ${unready}`);
  const { redelivered, unacknowledged, waiting } = await pipeline.stream.durable();
  if (redelivered + unacknowledged + waiting > 0) {
    problems.push(`redelivered ${redelivered}, unacknowledged ${unacknowledged}, waiting ${waiting}`);
  }
  if (Object.values(left).some((count) => count > 0)) problems.push(`not let go of: ${JSON.stringify(left)}`);
  const verdict = await pipeline.finish(bad);
  const letters = ask<DeadLetter>(
    join(pipeline.consumerDir, 'validator_tracker.sqlite'),
    'SELECT position, event_id, subject, reason, payload, payload_bytes FROM dead_letters',
  );
  problems.push(...judge(letters, published, pipeline.feeder.promisedBad()));
  await pipeline.close();
  await nats.kill('SIGKILL');
  return {
    did: `${bad} bad events, ${spooled} of them through the spool, between ${good} good ones`,
    figures: { ...verdict.figures, ...left, 'dead letters': letters.length, redelivered },
    problems: [...problems, ...verdict.problems],
  };
}

/** Publishes straight to NATS; resolves to the events by their place in the stream. */
async function publishAll({ connection }: StreamWatch, events: readonly BadEvent[]): Promise<Map<number, BadEvent>> {
  const jetstream = connection.jetstream();
  const published = new Map<number, BadEvent>();
  const publish = async (event: BadEvent) => {
    const head = headers();
    if (event.messageId !== null) head.set('Nats-Msg-Id', event.messageId);
    const { seq, duplicate } = await jetstream.publish(event.subject, event.payload, {
      headers: head,
      timeout: 20_000,
    });
    if (duplicate) throw new Error(`the harness made the id ${event.messageId} twice`);
    published.set(seq, event);
  };
  await lastValueFrom(from(events).pipe(mergeMap(publish, IN_FLIGHT)));
  return published;
}

/** What the spool takes at all: it refuses other subjects, and what is too large to be read. */
function spoolable(making: BadEventMaker, count: number): BadEvent[] {
  const taken: BadEvent[] = [];
  while (taken.length < count) {
    const event = making.next();
    if (event.kind !== 'unknown subject' && event.kind !== 'oversized') taken.push(event);
  }
  return taken;
}

async function spoolAll({ feeder }: Pipeline, events: readonly BadEvent[]): Promise<void> {
  for (let first = 0; first < events.length; first += BURST) {
    feeder.sendBad(events.slice(first, first + BURST));
    await pause(BURST_MS);
  }
}

function judge(
  letters: readonly DeadLetter[],
  published: ReadonlyMap<number, BadEvent>,
  spooled: ReadonlyMap<string, BadEvent>,
): string[] {
  const problems: string[] = [];
  const seen = new Set<BadEvent>();
  for (const letter of letters) {
    const event = spooled.get(letter.event_id) ?? published.get(letter.position);
    if (event === undefined) {
      problems.push(`a dead letter that nobody sent: ${letter.event_id} at ${letter.position}`);
      continue;
    }
    if (seen.has(event)) problems.push(`"${event.kind}" is there twice: ${letter.event_id} at ${letter.position}`);
    seen.add(event);
    const { kind, subject, payload, reason } = event;
    const kept = Buffer.from(payload.subarray(0, letter.payload.length));
    if (!reason.test(letter.reason)) problems.push(`the reason for "${kind}" is ${JSON.stringify(letter.reason)}`);
    if (letter.subject !== subject) problems.push(`"${kind}" is kept with the subject ${letter.subject}`);
    const isEnough = kept.length >= Math.min(payload.length, KEPT_BYTES);
    if (!isEnough || letter.payload_bytes !== payload.length || !kept.equals(letter.payload)) {
      problems.push(`"${kind}" is not kept as it came: ${kept.length} bytes, said to be of ${letter.payload_bytes}`);
    }
  }
  const missing = [...published.values(), ...spooled.values()].filter((event) => !seen.has(event));
  if (missing.length > 0) problems.push(`${missing.length} are not put aside, such as "${missing[0]?.kind}"`);
  return problems.length > EXAMPLES ? [...problems.slice(0, EXAMPLES), `… ${problems.length} altogether`] : problems;
}
