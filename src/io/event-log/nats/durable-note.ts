import { randomBytes } from 'node:crypto';
import type { ConsumerConfig } from 'nats';

/** What is noted in the description of a durable, which is all that it keeps for us. */

const DESCRIPTION = 'Consumes valtrack events';
const SAYS_APPLIED = ', says what it has applied';
/** The mark of a durable that somebody else has made. */
const UNMARKED = 'unmarked';

/** Tells a durable from its successor of the same name: the server's time of creation is another one after a restart. */
export function newMark(): string {
  return randomBytes(6).toString('base64url');
}

/** @param saysApplied whether its consumer says what it has applied (`applied.ts`) */
export function describing(mark: string, saysApplied: boolean): string {
  return `${DESCRIPTION}${saysApplied ? SAYS_APPLIED : ''} (${mark})`;
}

export function isSaying({ description = '' }: ConsumerConfig): boolean {
  return description.includes(SAYS_APPLIED);
}

export function markOf({ description = '' }: ConsumerConfig): string {
  return /\(([\w-]+)\)$/.exec(description)?.[1] ?? UNMARKED;
}
