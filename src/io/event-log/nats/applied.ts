import { type Msg, type NatsConnection, NatsError } from 'nats';
import { ignoreElements, Observable } from 'rxjs';
import { z } from 'zod';
import { mergeBounded } from '../../../streams/flow/merge-bounded.ts';
import type { DeliveryOptions } from '../../../streams/ports/event-log.ts';
import type { Logger } from '../../logging/logger.ts';

/**
 * The consumer of a durable says itself what it has applied, to whoever asks at `valtrack.applied.<durable>`: the question
 * is a JSON list of event ids, the answer a list of those that it has not applied.
 *
 * What the server notes is not enough: killed at the wrong moment, nats-server 2.9 counts messages as acknowledged that it
 * has not delivered, and drops them.
 */

const MAX_IDS = 1_000;
/** As `LogEntry` has it. */
const MAX_ID_LENGTH = 256;
/** Questions that wait while one is being answered; who asked the others asks again. */
const MAX_WAITING = 64;

const subjectOf = (durable: string) => `valtrack.applied.${durable}`;
const eventIdList = z.array(z.string().max(MAX_ID_LENGTH)).max(MAX_IDS);

/** Answers, one question after the other, while subscribed. What is no question, and what cannot be told, is not answered. */
export function answerApplied(
  connection: NatsConnection,
  durable: string,
  applied: NonNullable<DeliveryOptions['applied']>,
  logger: Logger,
): Observable<never> {
  async function answer(question: Msg): Promise<void> {
    try {
      const eventIds = listIn(question);
      if (eventIds === null) return;
      const known = await applied(eventIds);
      question.respond(JSON.stringify(eventIds.filter((eventId) => !known.has(eventId))));
    } catch (error) {
      logger.debug({ err: error, durable }, 'what has been applied cannot be told');
    }
  }

  const questions$ = new Observable<Msg>((subscriber) => {
    const subscription = connection.subscribe(subjectOf(durable), {
      callback(error, question) {
        if (error === null) subscriber.next(question);
        // The events come all the same; sentries keep what they have published until they are told.
        else logger.warn({ err: error, durable }, `NATS does not let us answer at ${subjectOf(durable)}; allow it`);
      },
    });
    return () => subscription.unsubscribe();
  });
  return questions$.pipe(
    mergeBounded(answer, { concurrency: 1, maxWaiting: MAX_WAITING, onOverflow: () => undefined }),
    ignoreElements(),
  );
}

/**
 * Asks the consumer of a durable which of the events it has not applied; in pages, one after the other. `null` when it does
 * not say.
 */
export async function askUnapplied(
  connection: NatsConnection,
  durable: string,
  eventIds: readonly string[],
  timeoutMs: number,
): Promise<ReadonlySet<string> | null> {
  const unapplied = new Set<string>();
  for (let from = 0; from < eventIds.length; from += MAX_IDS) {
    const asked = JSON.stringify(eventIds.slice(from, from + MAX_IDS));
    const answer = await connection.request(subjectOf(durable), asked, { timeout: timeoutMs }).catch(asNoAnswer);
    const list = answer === null ? null : listIn(answer);
    if (list === null) return null;
    for (const eventId of list) unapplied.add(eventId);
  }
  return unapplied;
}

/** Nobody is there, or it takes too long. */
function asNoAnswer(error: unknown): null {
  if (error instanceof NatsError) return null;
  throw error;
}

function listIn({ data }: Msg): string[] | null {
  try {
    return eventIdList.safeParse(JSON.parse(Buffer.from(data).toString())).data ?? null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
