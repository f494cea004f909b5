import { randomBytes } from 'node:crypto';

/** Longer ids are no ids of ours, and would be kept by every consumer. */
const MAX_ID_LENGTH = 256;
const SUFFIX = /~again-[\w-]{8}$/;

/** A message id for an event whose own id the server knows, though it may have lost the message: it is taken again. */
export function anotherId(eventId: string): string {
  return `${eventId}~again-${randomBytes(6).toString('base64url')}`;
}

/** The event id in a message id; `null` when there is none. */
export function eventIdIn(messageId: string): string | null {
  const id = messageId.replace(SUFFIX, '');
  return id !== '' && id.length <= MAX_ID_LENGTH ? id : null;
}
