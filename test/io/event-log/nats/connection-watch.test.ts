import { PassThrough } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { DebugEvents, Events, NatsError, type Status } from 'nats';
import { beforeEach, describe, expect, it } from 'vitest';
import { type ConnectionWatch, watchConnection } from '../../../../src/io/event-log/nats/connection-watch.ts';
import { EventLogUnreachableError } from '../../../../src/io/event-log/nats/errors.ts';
import { type Reconnects, reconnects } from '../../../../src/io/event-log/nats/reconnects.ts';
import { loggerWithLines } from './support/lines.ts';

let statuses: PassThrough;
/** Ends the connection, with an error or without. */
let end: (error?: Error) => void;
let retries: Reconnects;
let lines: string[];
let watch: ConnectionWatch;
let heard: unknown[];

beforeEach(() => {
  statuses = new PassThrough({ objectMode: true });
  const closed = Promise.withResolvers<Error | undefined>();
  end = closed.resolve;
  retries = reconnects();
  const { logger, lines: told } = loggerWithLines();
  lines = told;
  const connection = {
    status: () => statuses as AsyncIterable<Status>,
    closed: () => closed.promise as Promise<Error>,
  };
  watch = watchConnection(connection, { servers: 'here:4222', retries, logger });
  heard = [];
  watch.up$.subscribe({
    next: (up) => heard.push(up),
    error: (error: unknown) => heard.push(error),
    complete: () => heard.push('complete'),
  });
});

/** The client says what has happened. */
async function say(...types: Status['type'][]): Promise<void> {
  for (const type of types) statuses.write({ type, data: 'here:4222' });
  // As many turns as the stream needs to hand on what it was given.
  for (let turn = 0; turn < 2 * types.length + 2; turn++) await setImmediate();
}

describe('a connection', () => {
  it('is up at first, and at each change that is told to people, too', async () => {
    await say(Events.Disconnect, DebugEvents.Reconnecting, DebugEvents.Reconnecting);
    expect([watch.isUp(), watch.losses(), retries.attempts]).toEqual([false, 1, 2]);
    await say(Events.Reconnect);
    expect([watch.isUp(), watch.losses(), retries.attempts]).toEqual([true, 1, 0]);
    await say(Events.Disconnect);
    expect(watch.losses()).toBe(2);
    expect(heard).toEqual([true, false, true, false]);
    expect(lines).toEqual(['connection to NATS lost', 'connected to NATS again', 'connection to NATS lost']);
  });

  it('does not change by what the server complains of', async () => {
    await say(Events.Error, Events.LDM, DebugEvents.PingTimer);
    expect(heard).toEqual([true]);
    expect(lines).toEqual(['NATS reports an error']);
  });

  it('ends well when that was expected', async () => {
    watch.expectEnd();
    end();
    await watch.ended;
    expect(heard).toEqual([true, 'complete']);
  });

  it('that the client gives up is an error', async () => {
    end();
    await watch.ended;
    expect(heard).toEqual([true, new Error('the NATS client gave the connection up')]);
  });

  it('that ends with an error of NATS is unreachable', async () => {
    end(new NatsError('connection refused', 'CONNECTION_REFUSED'));
    await watch.ended;
    expect(heard[1]).toBeInstanceOf(EventLogUnreachableError);
    expect(String(heard[1])).toContain('here:4222');
  });

  it('says nothing more once it has ended', async () => {
    watch.expectEnd();
    end();
    await watch.ended;
    await say(Events.Disconnect);
    expect(watch.losses()).toBe(0);
    expect(lines).toEqual([]);
  });
});
