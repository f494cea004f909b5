import type { JsMsg } from 'nats';

/** The messages of one durable that were handed out and not acknowledged yet; as many as may be in flight. */
export interface NatsUnacked {
  /** Notes a message. False when it has been handed out already and came again, its ack wait being over. */
  add(message: JsMsg): boolean;
  /** Acknowledges the message, whichever time it came, once. */
  ack(message: JsMsg): void;
  /** Starts the ack wait of all of them again. */
  extend(): void;
  /** Gives all of them back, so that the server need not wait for them. */
  giveBack(): void;
  readonly size: number;
}

export function natsUnacked(): NatsUnacked {
  const messages = new Map<string, JsMsg>();
  return {
    add(message) {
      const key = keyOf(message);
      const first = !messages.has(key);
      messages.set(key, message);
      return first;
    },
    ack(message) {
      const key = keyOf(message);
      messages.get(key)?.ack();
      messages.delete(key);
    },
    extend() {
      for (const message of messages.values()) message.working();
    },
    giveBack() {
      for (const message of messages.values()) message.nak();
      messages.clear();
    },
    get size() {
      return messages.size;
    },
  };
}

/** The sequence alone would take a message of a stream that was made anew for one of the old stream. */
function keyOf({ info }: JsMsg): string {
  return `${info.streamSequence}@${info.timestampNanos}`;
}
