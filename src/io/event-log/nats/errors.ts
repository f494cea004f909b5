import { NatsError } from 'nats';
import { EventLogFullError } from '../../../streams/ports/event-log.ts';

/** No server answers, or it stopped answering: try again later. */
export class EventLogUnreachableError extends Error {
  override readonly name = 'EventLogUnreachableError';
}

/** The address, the stream or the durable is not what this program can use; the message says what to do. */
export class EventLogConfigError extends Error {
  override readonly name = 'EventLogConfigError';
}

/** JetStream's error numbers (nats-server, server/errors.json). */
const STREAM_NOT_FOUND = 10059;
const CONSUMER_NOT_FOUND = 10014;
const WRONG_LAST_SEQUENCE = 10071;
/** Insufficient resources, memory or storage exceeded, the stream refused to store (its own limits). */
const NO_ROOM = [10023, 10028, 10047, 10077];

/** A cluster without a leader, a stream or a durable whose servers are away: all of it passes. */
const BUSY = [10004, 10005, 10006, 10007, 10008, 10009, 10023, 10118, 10119];

/** Whether the servers are there and cannot do it now: they elect a leader, or come back from a restart. */
export function isBusy(error: unknown): boolean {
  const cause = error instanceof EventLogFullError ? error.cause : error;
  return cause instanceof NatsError && BUSY.includes(cause.api_error?.err_code ?? 0);
}

/** The server answers, yet nothing takes this request: JetStream is off or starting, or the stream is gone. */
export function isNoResponders(error: unknown): boolean {
  return error instanceof NatsError && error.code === '503' && error.api_error === undefined;
}

export function isStreamNotFound(error: unknown): boolean {
  return error instanceof NatsError && error.api_error?.err_code === STREAM_NOT_FOUND;
}

export function isConsumerNotFound(error: unknown): boolean {
  return error instanceof NatsError && error.api_error?.err_code === CONSUMER_NOT_FOUND;
}

/** Whether somebody else was first. */
export function isWrongRevision(error: unknown): boolean {
  return error instanceof NatsError && error.api_error?.err_code === WRONG_LAST_SEQUENCE;
}

/** What a failed request to `servers` means to the user of an event log. */
export function asEventLogError(error: unknown, servers: string): unknown {
  if (!(error instanceof NatsError)) return error;
  if (isNoResponders(error)) {
    const message = `JetStream does not answer on NATS at ${servers}; start nats-server with JetStream enabled (-js)`;
    return new EventLogUnreachableError(message, { cause: error });
  }
  if (error.api_error === undefined) {
    return new EventLogUnreachableError(`NATS at ${servers} does not answer (${error.code})`, { cause: error });
  }
  const { err_code: number, description } = error.api_error;
  if (number !== undefined && NO_ROOM.includes(number)) {
    return new EventLogFullError(`NATS at ${servers} has no room (${description})`, { cause: error });
  }
  return error;
}
