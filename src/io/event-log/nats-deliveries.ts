import type { JsMsg } from 'nats';
import { defer, EMPTY, exhaustMap, interval, Observable, retry, switchMap, throwError, timer } from 'rxjs';
import { contentEventId } from '../../consensus/event-id.ts';
import { STREAM_NAME } from '../../consensus/events.ts';
import type { Delivery, DeliveryOptions } from '../../streams/ports/event-log.ts';
import type { Logger } from '../logger.ts';
import type { NatsLink } from './nats-connection.ts';
import { EventLogConfigError } from './nats-errors.ts';
import { eventIdIn } from './nats-message-id.ts';
import type { NatsTopology } from './nats-topology.ts';
import type { NatsUnacked } from './nats-unacked.ts';

export interface NatsDeliveriesContext {
  readonly link: NatsLink;
  readonly topology: NatsTopology;
  readonly unacked: NatsUnacked;
  readonly logger: Logger;
}

const RETRY_MIN_MS = 250;
const RETRY_MAX_MS = 10_000;
const PULL_EXPIRES_MS = 10_000;
/** Two of these without a sign of life, and the client looks whether the durable is still there. */
const IDLE_HEARTBEAT_MS = 1000;
/** Twice this without a message while some wait, and the pull is begun anew. */
const WATCH_MS = 5_000;

/**
 * Pulls for one durable while the connection is up. Whatever ends a pull, the stream or the durable being removed
 * included, is met by making what is missing and pulling again; only a stream or durable of the wrong kind ends it all.
 */
export function natsDeliveries(context: NatsDeliveriesContext, options: DeliveryOptions): Observable<Delivery> {
  return defer(() => {
    let inherited = true;
    const session$ = pullSession(context, options, () => {
      // What the subscriber before left would otherwise come only after its ack wait.
      if (inherited) context.unacked.giveBack();
      inherited = false;
    });
    const retried$ = session$.pipe(retry({ resetOnSuccess: true, delay: retryDelay(context.logger, options.durable) }));
    return context.link.connected$.pipe(switchMap((up) => (up ? retried$ : EMPTY)));
  });
}

function retryDelay(logger: Logger, durable: string) {
  return (error: unknown, attempt: number) => {
    if (error instanceof EventLogConfigError) return throwError(() => error);
    const retryMs = Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** (attempt - 1));
    logger.warn({ err: error, durable, attempt, retryMs }, 'pulling from NATS failed');
    return timer(retryMs);
  };
}

/**
 * One pull; never completes, its end is an error. `onPulling` is called once the server has the request: nats-server 2.9
 * mislays a message that is given back while the only request it knows is one whose asker has left.
 */
function pullSession(
  { link, topology, unacked }: NatsDeliveriesContext,
  { durable, maxInFlight }: DeliveryOptions,
  onPulling: () => void,
): Observable<Delivery> {
  return new Observable((subscriber) => {
    let received = 0;
    let looked = { received: -1, wasStill: false };
    /** A pull can die without a word, after many short outages: the server then has messages and no request. */
    const starves = async () => {
      const { waits, asked } = await topology.demand(durable);
      const isStill = waits > 0 && asked === 0 && received === looked.received;
      if (isStill && looked.wasStill) throw new Error(`${waits} messages wait and none comes`);
      looked = { received, wasStill: isStill };
    };
    const deliver = (message: JsMsg) => {
      received++;
      if (!subscriber.closed && unacked.add(message)) subscriber.next(asDelivery(message, unacked));
    };
    const run = async () => {
      // The durable's own limit on unacknowledged messages is what holds the server back.
      const { ackWaitMs } = await topology.ensureDurable(durable, maxInFlight);
      const consumer = await link.connection.jetstream().consumers.get(STREAM_NAME, durable);
      if (subscriber.closed) return;
      const messages = await consumer.consume({
        max_messages: maxInFlight,
        expires: PULL_EXPIRES_MS,
        idle_heartbeat: IDLE_HEARTBEAT_MS,
        abort_on_missing_resource: true,
        callback: deliver,
      });
      subscriber.add(() => messages.close());
      subscriber.add(interval(ackWaitMs / 3).subscribe(() => unacked.extend()));
      subscriber.add(
        interval(WATCH_MS)
          .pipe(exhaustMap(starves))
          .subscribe({ error: (error: unknown) => subscriber.error(error) }),
      );
      onPulling();
      const reason = await messages.closed();
      if (!subscriber.closed) throw reason ?? new Error('the pull ended');
    };
    run().catch((error: unknown) => subscriber.error(error));
  });
}

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
