import type { JsMsg } from 'nats';
import type { NatsLink } from './connection.ts';

/**
 * The messages of one durable that were handed out and not acknowledged yet; as many as may be in flight.
 *
 * The server hears of a message only over the connection that brought it: a server that was killed may have lost the end of
 * its stream, and give the same sequences to other messages. An acknowledgement of one of the old would be taken for one
 * of them, which then nobody would ever get. What was in hand when the connection was lost comes again after its ack wait.
 */
export interface NatsUnacked {
  /** Notes a message. False when it is in hand already and came again. */
  add(message: JsMsg): boolean;
  /** Acknowledges the message, whichever time it came, once; forgets it when the server must not hear of it. */
  ack(message: JsMsg): void;
  /** Starts the ack wait of all of them again. */
  extend(): void;
  /** Gives all of them back, so that the server need not wait for them. */
  giveBack(): void;
  /** From now on the server hears of none of them: stream or durable may be other ones, with the same sequences. */
  detach(): void;
  readonly size: number;
}

interface Held {
  readonly message: JsMsg;
  readonly losses: number;
  readonly detached: number;
}

export function natsUnacked(link: Pick<NatsLink, 'isConnected' | 'losses'>): NatsUnacked {
  const inHand = new Map<string, Held>();
  let detached = 0;
  const isHeard = (held: Held) => link.isConnected() && held.losses === link.losses() && held.detached === detached;
  const heard = () => [...inHand.values()].filter(isHeard);

  return {
    add(message) {
      const key = keyOf(message);
      const first = !inHand.has(key);
      inHand.set(key, { message, losses: link.losses(), detached });
      return first;
    },
    ack(message) {
      const key = keyOf(message);
      const held = inHand.get(key);
      inHand.delete(key);
      if (held !== undefined && isHeard(held)) held.message.ack();
    },
    extend() {
      for (const { message } of heard()) message.working();
    },
    giveBack() {
      for (const { message } of heard()) message.nak();
      inHand.clear();
    },
    detach() {
      detached++;
    },
    get size() {
      return inHand.size;
    },
  };
}

/** The sequence alone would take a message of a stream that was made anew for one of the old stream. */
function keyOf({ info }: JsMsg): string {
  return `${info.streamSequence}@${info.timestampNanos}`;
}
