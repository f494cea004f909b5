import { fileURLToPath } from 'node:url';
import type { BadEvent } from './bad-events.ts';
import type { ChaosEvent } from './events.ts';
import type { Ledger } from './ledger.ts';
import { node, type Program, type Under } from './processes.ts';
import { until } from './waiting.ts';

/** The harness' end of `chaos/feeder.ts`: what is sent and what is promised is written into the ledger here. */
export interface Feeder {
  /** Starts the process, or starts it again after its end. Rejects when it ends before it is ready. */
  start(under?: Under): Promise<void>;
  send(events: readonly ChaosEvent[]): void;
  /** Has events appended that cannot be read. */
  sendBad(events: readonly BadEvent[]): void;
  /** The promised ones of them, by event id. */
  promisedBad(): ReadonlyMap<string, BadEvent>;
  /** Sent in this life and not answered. */
  unanswered(): number;
  /** Events it refused, with the reason of the last one. */
  refused(): { count: number; reason: string };
  /** Why the path says that it does not work; `null` when it does. */
  problem(): Promise<string | null>;
  program(): Program;
}

const FEEDER = fileURLToPath(new URL('../feeder.ts', import.meta.url));

export function feeder(options: {
  readonly dataDir: string;
  readonly natsUrl: string;
  readonly ledger: Ledger;
  readonly stderrPath: string;
  /** Options of `valtrack sentry`. */
  readonly more?: readonly string[];
}): Feeder {
  const { dataDir, natsUrl, ledger, stderrPath, more = [] } = options;
  let current: Program | undefined;
  let isReady = false;
  let waiting = new Set<number>();
  const bad: BadEvent[] = [];
  const promisedBad = new Map<string, BadEvent>();
  let refusals = 0;
  let lastRefusal = '';
  let answers: ((reason: string | null) => void)[] = [];

  function hear(line: string): void {
    if (line === 'ready') {
      isReady = true;
      return;
    }
    const [first = '', ...others] = line.split(' ');
    if (first === '?') {
      answers.shift()?.(others.join(' ') || null);
    } else if (first === '!') {
      refusals++;
      lastRefusal = others.slice(1).join(' ');
      waiting.delete(Number(others[0]));
    } else {
      const serial = Number(first);
      const [eventId = ''] = others;
      waiting.delete(serial);
      // Bad events are numbered downwards from -1.
      const event = bad[-1 - serial];
      if (event === undefined) ledger.commit(serial, eventId);
      else promisedBad.set(eventId, event);
    }
  }

  return {
    async start(under) {
      isReady = false;
      waiting = new Set();
      answers = [];
      const args = [FEEDER, '--data-dir', dataDir, '--nats-url', natsUrl, ...more];
      current = node(args, { stderrPath, onLine: hear }, under);
      const { isRunning, said } = current;
      await until('the feeder starts', 30_000, () => isReady || !isRunning());
      if (!isReady) throw new Error(`the feeder does not start: ${said.join(' | ')}`);
    },
    send(events) {
      for (const event of events) {
        ledger.send(event);
        waiting.add(event.serial);
        const { serial, subject, wire } = event;
        current?.child.stdin?.write(`${JSON.stringify({ serial, subject, wire })}\n`);
      }
    },
    sendBad(events) {
      for (const event of events) {
        const serial = -bad.push(event);
        waiting.add(serial);
        const payload = Buffer.from(event.payload).toString('base64');
        current?.child.stdin?.write(`${JSON.stringify({ serial, subject: event.subject, payload })}\n`);
      }
    },
    promisedBad: () => promisedBad,
    unanswered: () => waiting.size,
    refused: () => ({ count: refusals, reason: lastRefusal }),
    async problem() {
      const { promise, resolve } = Promise.withResolvers<string | null>();
      answers.push(resolve);
      current?.child.stdin?.write('?\n');
      return promise;
    },
    program() {
      if (current === undefined) throw new Error('the feeder was never started');
      return current;
    },
  };
}
