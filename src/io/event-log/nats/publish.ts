import type { JetStreamClient, PubAck } from 'nats';
import type { LogEntry } from '../../../streams/ports/event-log.ts';
import { anotherId } from './message-id.ts';

export interface PublishOptions {
  /** How long to wait for each acknowledgement. */
  readonly timeoutMs: number;
  /** Asked before each publication and at the end; throws when nothing more may be published. */
  readonly check: () => void;
  /**
   * A server knows the ids of messages that it has lost or dropped, for two minutes, and takes them for stored. Whether to
   * publish such a one under another id: it may then be there twice.
   */
  readonly insists?: boolean;
}

/** Publications waiting for their acknowledgement: enough to hide the round trip, and a bound on what an outage drops. */
const IN_FLIGHT = 512;

/**
 * Publishes in order, many at a time, yet never two of one peer: when one is not stored and the next is, as in an outage,
 * the first would come after it. Resolves to the highest sequence given out; rejects with the first failure, once nothing
 * is on its way any more.
 */
export async function publishAll(
  jetstream: Pick<JetStreamClient, 'publish'>,
  entries: readonly LogEntry[],
  { timeoutMs, check, insists = false }: PublishOptions,
): Promise<number> {
  const inFlightOf = new Map<string, Promise<void>>();
  let next = 0;
  let highest = 0;
  let failure: { readonly error: unknown } | null = null;

  async function publish({ subject, payload, eventId }: LogEntry): Promise<void> {
    try {
      check();
      const { seq } = await stored(eventId);
      highest = Math.max(highest, seq);
    } catch (error) {
      failure ??= { error };
    }

    async function stored(messageId: string): Promise<PubAck> {
      const answer = await jetstream.publish(subject, payload, { msgID: messageId, timeout: timeoutMs });
      return answer.duplicate && insists ? stored(anotherId(eventId)) : answer;
    }
  }

  async function work(): Promise<void> {
    for (let entry = entries[next++]; entry !== undefined && failure === null; entry = entries[next++]) {
      const peer = peerOf(entry);
      // One after the other here, too: whoever waits for a peer waits for the one that was taken just before.
      const before = inFlightOf.get(peer);
      const publishing = before === undefined ? publish(entry) : after(before, entry);
      inFlightOf.set(peer, publishing);
      await publishing;
      if (inFlightOf.get(peer) === publishing) inFlightOf.delete(peer);
    }
  }

  async function after(before: Promise<void>, entry: LogEntry): Promise<void> {
    await before;
    if (failure === null) await publish(entry);
  }

  await Promise.all(Array.from({ length: Math.min(IN_FLIGHT, entries.length) }, work));
  if (failure !== null) throw (failure as { readonly error: unknown }).error;
  check();
  return highest;
}

const PEER_KEY = '"id":"';
/** Within these first bytes an event of ours has its peer's id, after its record. */
const HEAD_BYTES = 1_024;

/** Which peer an event is about; for an event of unknown make its own id, since there is nothing it could overtake. */
function peerOf({ payload, eventId }: LogEntry): string {
  const head = Buffer.from(payload.buffer, payload.byteOffset, Math.min(payload.length, HEAD_BYTES));
  const from = head.indexOf(PEER_KEY) + PEER_KEY.length;
  const to = head.indexOf('"', from);
  return from < PEER_KEY.length || to < 0 ? eventId : head.toString('latin1', from, to);
}
