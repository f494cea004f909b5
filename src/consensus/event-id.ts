import { createHash, randomBytes } from 'node:crypto';

/**
 * Event ids are `<producer>:<sequence>`. A producer is one run of one sentry and numbers its events from 0 without
 * gaps, so that "which of them have been applied" is a short list of ranges however many events there are.
 */

const ID = /^([A-Za-z0-9_-]{1,64}):(0|[1-9]\d{0,15})$/;

export interface EventId {
  readonly producer: string;
  readonly sequence: number;
}

/** The parts of an id of ours, or `null` for another producer's text. */
export function parseEventId(text: string): EventId | null {
  const match = ID.exec(text);
  if (match?.[1] === undefined) return null;
  const sequence = Number(match[2]);
  return Number.isSafeInteger(sequence) ? { producer: match[1], sequence } : null;
}

/** Makes the ids of one run: a random producer name and a counter. */
export function eventIds(producer: string = randomBytes(9).toString('base64url')): () => string {
  let sequence = 0;
  return () => `${producer}:${sequence++}`;
}

/** The id of an event that carries none: equal bytes on the same subject are the same event. */
export function contentEventId(subject: string, payload: Uint8Array): string {
  return `sha256-${createHash('sha256').update(subject).update('\n').update(payload).digest('base64url')}`;
}
