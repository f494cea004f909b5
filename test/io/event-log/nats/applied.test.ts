import { connect, type NatsConnection } from 'nats';
import type { Subscription } from 'rxjs';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { answerApplied, askUnapplied } from '../../../../src/io/event-log/nats/applied.ts';
import { createLogger } from '../../../../src/io/logging/logger.ts';
import { WAIT } from '../../../support/event-log/contract.ts';
import { startNatsServer, type TestNatsServer } from '../../../support/nats-server.ts';

/** A consumer that says what it has applied, and those that ask, over a real server. */

const SUBJECT = 'valtrack.applied.reader';
const TIMEOUT_MS = 2_000;

let server: TestNatsServer;
let asking: NatsConnection;
let answering: NatsConnection;
let answers: Subscription | undefined;
let lines: string[];

beforeEach(async () => {
  lines = [];
  server = await startNatsServer();
  asking = await connect({ servers: server.url });
  answering = await connect({ servers: server.url });
});

afterEach(async () => {
  answers?.unsubscribe();
  await asking.close();
  await answering.close();
  await server.dispose();
});

async function answer(applied: (eventIds: readonly string[]) => Promise<ReadonlySet<string>>): Promise<void> {
  const logger = createLogger({ level: 'debug', format: 'json', write: (line) => lines.push(line) });
  answers = answerApplied(answering, 'reader', applied, logger).subscribe();
  await answering.flush();
}

const ask = (eventIds: readonly string[]) => askUnapplied(asking, 'reader', eventIds, TIMEOUT_MS);
const ids = (count: number) => Array.from({ length: count }, (_, index) => `run:${index}`);

it('says which events were not applied', async () => {
  await answer(async () => new Set(['run:0', 'run:2']));
  expect(await ask(ids(4))).toEqual(new Set(['run:1', 'run:3']));
  expect(await ask([])).toEqual(new Set());
});

it('says so of as many as are asked for', async () => {
  const asked: number[] = [];
  await answer(async (eventIds) => {
    asked.push(eventIds.length);
    return new Set(eventIds.filter((eventId) => eventId !== 'run:2400'));
  });
  expect(await ask(ids(2_500))).toEqual(new Set(['run:2400']));
  expect(Math.max(...asked)).toBe(1_000);
});

it('is silence while nobody answers for the durable', async () => {
  expect(await ask(ids(1))).toBe(null);
});

it('is silence when it cannot be told, which the log says, and an answer once it can', async () => {
  let isBroken = true;
  await answer(async (eventIds) => {
    if (isBroken) throw new Error('the database is locked');
    return new Set(eventIds);
  });
  expect(await askUnapplied(asking, 'reader', ids(1), 200)).toBe(null);
  expect(lines.join()).toContain('the database is locked');
  isBroken = false;
  expect(await ask(ids(1))).toEqual(new Set());
});

it.each([
  ['no JSON', 'x'],
  ['no list', '{"eventIds":["run:0"]}'],
  ['not of texts', '[1]'],
  ['too many', JSON.stringify(ids(1_001))],
  ['too long an id', JSON.stringify(['x'.repeat(257)])],
])('does not answer what is no question: %s', async (_, question) => {
  const asked = vi.fn(async () => new Set<string>());
  await answer(asked);
  asking.publish(SUBJECT, question);
  expect(await ask(ids(1))).toEqual(new Set(ids(1)));
  expect(asked.mock.calls).toEqual([[ids(1)]]);
});

it.each(['', 'no', '{}', '[1]'])('takes an answer for silence that is none: %j', async (text) => {
  answering.subscribe(SUBJECT, { callback: (_, question) => question.respond(text) });
  await answering.flush();
  expect(await ask(ids(1))).toBe(null);
});

it('no longer answers once nobody wants it to', async () => {
  await answer(async () => new Set());
  answers?.unsubscribe();
  await vi.waitFor(async () => expect(await ask(ids(1))).toBe(null), WAIT);
});
