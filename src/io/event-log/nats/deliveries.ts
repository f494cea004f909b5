import type { JsMsg } from 'nats';
import { defer, EMPTY, exhaustMap, interval, merge, Observable, retry, switchMap, throwError, timer } from 'rxjs';
import { contentEventId } from '../../../consensus/event-id.ts';
import { STREAM_NAME } from '../../../consensus/events.ts';
import type { Delivery, DeliveryOptions } from '../../../streams/ports/event-log.ts';
import type { Logger } from '../../logging/logger.ts';
import { answerApplied } from './applied.ts';
import type { NatsLink } from './connection.ts';
import { EventLogConfigError } from './errors.ts';
import { eventIdIn } from './message-id.ts';
import { type Stall, stallWatch } from './stall.ts';
import type { NatsTopology } from './topology.ts';
import type { NatsUnacked } from './unacked.ts';

export interface NatsDeliveriesContext {
  readonly link: NatsLink;
  readonly topology: NatsTopology;
  readonly unacked: NatsUnacked;
  readonly logger: Logger;
  /** Told why nothing comes, and `null` when all is well again. */
  readonly onProblem: (reason: string | null) => void;
}

const RETRY_MIN_MS = 250;
const RETRY_MAX_MS = 10_000;
const PULL_EXPIRES_MS = 10_000;
/** Two of these without a sign of life, and the client looks whether the durable is still there. */
const IDLE_HEARTBEAT_MS = 1000;
/** How often to look whether the durable still gives what it has; at least twice in an ack wait. */
const LOOK_MS = 5_000;

/**
 * Pulls for one durable while the connection is up. Whatever ends a pull, the stream or the durable being removed
 * included, is met by making what is missing and pulling again; a durable that is stuck is made anew. Only a stream or
 * durable of the wrong kind ends it all. Who asks meanwhile is told what has been applied.
 */
export function natsDeliveries(context: NatsDeliveriesContext, options: DeliveryOptions): Observable<Delivery> {
  return defer(() => {
    const reader: Reader = { received: 0, hasInherited: true, isStuck: false, stallOf: null };
    const session$ = pullSession(context, options, reader);
    const retried$ = session$.pipe(retry({ resetOnSuccess: true, delay: retryDelay(context, options.durable) }));
    const pulled$ = context.link.connected$.pipe(switchMap((up) => (up ? retried$ : EMPTY)));
    const { durable, applied } = options;
    if (applied === undefined) return pulled$;
    return merge(answerApplied(context.link.connection, durable, applied, context.logger), pulled$);
  });
}

function retryDelay({ logger, unacked, onProblem }: NatsDeliveriesContext, durable: string) {
  return (error: unknown, attempt: number) => {
    unacked.detach();
    if (error instanceof EventLogConfigError) return throwError(() => error);
    const retryMs = Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** (attempt - 1));
    logger.warn({ err: error, durable, attempt, retryMs }, 'pulling from NATS failed');
    onProblem(`pulling from NATS failed: ${error instanceof Error ? error.message : String(error)}`);
    return timer(retryMs);
  };
}

/** What one subscriber goes on with from pull to pull. */
interface Reader {
  received: number;
  /** Whether messages may be left in hand from the subscriber before. */
  hasInherited: boolean;
  isStuck: boolean;
  stallOf: ReturnType<typeof stallWatch> | null;
}

/** One pull; never completes, its end is an error. */
function pullSession(
  { link, topology, unacked, logger, onProblem }: NatsDeliveriesContext,
  { durable, maxInFlight, applied }: DeliveryOptions,
  reader: Reader,
): Observable<Delivery> {
  return new Observable((subscriber) => {
    const deliver = (message: JsMsg) => {
      reader.received++;
      if (!subscriber.closed && unacked.add(message)) subscriber.next(asDelivery(message, unacked));
    };
    const findStall = async (stallOf: ReturnType<typeof stallWatch>) => {
      const look = await topology.look(durable);
      const stall = stallOf(look, { received: reader.received, inHand: unacked.size, maxInFlight });
      if (stall === 'none') return;
      logger.debug({ durable, ...look, inHand: unacked.size, stall }, 'the durable does not give what it has');
      reader.isStuck = stall === 'stuck';
      throw REASONS[stall](look.waits);
    };
    const run = async () => {
      if (reader.isStuck) {
        await topology.renewDurable(durable);
        reader.isStuck = false;
      }
      // The durable's own limit on unacknowledged messages is what holds the server back.
      const { ackWaitMs } = await topology.ensureDurable(durable, {
        maxAckPending: maxInFlight,
        saysApplied: applied !== undefined,
      });
      const consumer = await link.connection.jetstream().consumers.get(STREAM_NAME, durable);
      if (subscriber.closed) return;
      const messages = await consumer.consume({
        max_messages: maxInFlight,
        expires: PULL_EXPIRES_MS,
        idle_heartbeat: IDLE_HEARTBEAT_MS,
        abort_on_missing_resource: true,
        callback: deliver,
      });
      onProblem(null);
      subscriber.add(() => messages.close());
      subscriber.add(interval(ackWaitMs / 3).subscribe(() => unacked.extend()));
      const lookMs = Math.min(LOOK_MS, ackWaitMs / 2);
      reader.stallOf ??= stallWatch({ ackWaitMs, lookMs });
      const { stallOf } = reader;
      subscriber.add(
        interval(lookMs)
          .pipe(exhaustMap(() => findStall(stallOf)))
          .subscribe({ error: (error: unknown) => subscriber.error(error) }),
      );
      // What the subscriber before left would otherwise come only after its ack wait. Not before the server has our
      // request: nats-server 2.9 mislays a message that is given back while the only one it knows is of somebody who has left.
      if (reader.hasInherited) unacked.giveBack();
      reader.hasInherited = false;
      const reason = await messages.closed();
      if (!subscriber.closed) throw reason ?? new Error('the pull ended');
    };
    run().catch((error: unknown) => subscriber.error(error));
  });
}

const REASONS: Readonly<Record<Exclude<Stall, 'none'>, (waits: number) => Error>> = {
  unasked: (waits) => new Error(`${waits} messages wait, and NATS has lost the request for them`),
  stuck: (waits) => new Error(`the durable is stuck, ${waits} messages wait; it is made anew`),
};

function asDelivery(message: JsMsg, unacked: NatsUnacked): Delivery {
  const { subject, data, info } = message;
  return {
    subject,
    payload: data,
    eventId: eventIdIn(message.headers?.get('Nats-Msg-Id') ?? '') ?? contentEventId(subject, data),
    position: info.streamSequence,
    ack: () => unacked.ack(message),
  };
}
