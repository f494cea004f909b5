import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { integerBetween } from '../../src/devnet/random.ts';
import { compare, unsound, type Verdict } from '../verify/compare.ts';
import { type ConsumerProcess, consumerProcess, notApplied, spooled } from './consumer.ts';
import { eventMaker } from './events.ts';
import { type Feeder, feeder } from './feeding.ts';
import { type Ledger, openLedger, writeLedger } from './ledger.ts';
import { prepareStream, type StreamWatch, watchStream } from './nats.ts';
import type { ChaosContext } from './scenario.ts';
import { pause, until, within } from './waiting.ts';

/** A sentry without network, and a consumer; both talk to the NATS of the scenario. */
export interface Pipeline {
  readonly ledger: Ledger;
  readonly sentryDir: string;
  readonly consumerDir: string;
  readonly feeder: Feeder;
  readonly consumer: ConsumerProcess;
  readonly stream: StreamWatch;
  /** Sends events while the sentry runs, until as many as `upTo` says are promised; resolves when `upTo` says `null`. */
  flow(upTo: () => number | null): Promise<void>;
  /** Resolves when everything that was promised is applied, and nothing more comes. */
  drained(timeoutMs: number): Promise<void>;
  /** Whether everything that was promised is applied. */
  isApplied(): boolean;
  /** What spool and stream do not let go of within so long, although it has been read. */
  left(withinMs?: number): Promise<Readonly<Record<string, number>>>;
  /** Ends both in good order, and compares what is stored with the ledger. */
  finish(deadLetters?: number): Promise<Verdict>;
  /** Ends both in good order; resolves to what was not in good order. */
  end(): Promise<string[]>;
  close(): Promise<void>;
}

export interface PipelineOptions {
  readonly dir: string;
  readonly random: ChaosContext['random'];
  /** Where the harness looks. */
  readonly natsUrl: string;
  /** Where the sentry publishes, if not there. */
  readonly sentryNatsUrl?: string;
  readonly consumerNatsUrl?: string;
  /** Of the durable, which is then made before anybody else does. */
  readonly ackWaitMs?: number;
  readonly subjects?: string[];
  /** Of the stream that the program makes. */
  readonly replicas?: number;
  readonly sentryDir?: string;
  readonly consumerDir?: string;
}

const MAX_UNANSWERED = 400;
const BURST = 40;
const STOP_MS = 30_000;
const QUIET_MS = 1_000;

export async function openPipeline(options: PipelineOptions): Promise<Pipeline> {
  const { dir, random, natsUrl, ackWaitMs, subjects } = options;
  const sentryDir = options.sentryDir ?? join(dir, 'sentry');
  const consumerDir = options.consumerDir ?? join(dir, 'consumer');
  await Promise.all([mkdir(sentryDir, { recursive: true }), mkdir(consumerDir, { recursive: true })]);
  const stream = await watchStream(natsUrl);
  if (ackWaitMs !== undefined) await prepareStream(stream, { ackWaitMs, ...(subjects && { subjects }) });
  const ledger = openLedger();
  const events = eventMaker(random('events'), Date.now());
  const flow = random('flow');
  const more = options.replicas === undefined ? [] : ['--nats-replicas', String(options.replicas)];
  const feeding = feeder({
    more,
    dataDir: sentryDir,
    natsUrl: options.sentryNatsUrl ?? natsUrl,
    ledger,
    stderrPath: join(dir, 'sentry.log'),
  });
  const consumer = consumerProcess({
    more,
    dataDir: consumerDir,
    natsUrl: options.consumerNatsUrl ?? natsUrl,
    stderrPath: join(dir, 'consumer.log'),
  });

  async function endOne(what: string, { end, said, isRunning }: ReturnType<Feeder['program']>): Promise<string[]> {
    if (!isRunning()) return [`the ${what} has ended by itself: ${said.slice(-2).join(' | ')}`];
    const code = await Promise.race([end('SIGTERM'), pause(STOP_MS, 'late' as const, { ref: false })]);
    return code === 0 ? [] : [`the ${what} ended with ${code} on SIGTERM: ${said.slice(-2).join(' | ')}`];
  }

  const end = async () => [
    ...(await endOne('sentry', feeding.program())),
    ...(await endOne('consumer', consumer.program())),
  ];

  return {
    ledger,
    sentryDir,
    consumerDir,
    feeder: feeding,
    consumer,
    stream,
    async flow(upTo) {
      for (let goal = upTo(); goal !== null; goal = upTo()) {
        const isOpen = ledger.committed.size < goal && feeding.unanswered() < MAX_UNANSWERED;
        if (isOpen && feeding.program().isRunning()) {
          const burst = Math.min(integerBetween(flow, 1, BURST), goal - ledger.committed.size);
          feeding.send(Array.from({ length: burst }, () => events.next()));
        }
        await pause(integerBetween(flow, 2, 20));
      }
    },
    async drained(timeoutMs) {
      const everythingIsApplied = async () => {
        const missing = notApplied(consumerDir, ledger.committed.values());
        if (feeding.unanswered() + missing.length === 0) return true;
        const held = await stream.held().catch(() => '?');
        throw new Error(
          `${feeding.unanswered()} unanswered, ${missing.length} promised and not applied such as ${missing[0]}, ` +
            `${spooled(sentryDir)} in the spool, ${held} in the stream`,
        );
      };
      await until('everything is drained', timeoutMs, everythingIsApplied, 100);
      // Those in doubt may be on their way.
      for (let before = -1; before !== consumer.applied(); await pause(QUIET_MS)) before = consumer.applied();
    },
    isApplied: () => notApplied(consumerDir, ledger.committed.values()).length === 0,
    async left(withinMs = 0) {
      const isEmpty = async () => (await stream.held()) + spooled(sentryDir) === 0;
      await within(withinMs, isEmpty, 100);
      return { 'left in spool': spooled(sentryDir), 'left in NATS': await stream.held() };
    },
    end,
    async finish(deadLetters = 0) {
      const problems = [...(await end()), ...unsound(join(sentryDir, 'sentry.sqlite'))];
      const verdict = await compare(consumerDir, ledger, deadLetters);
      if (verdict.problems.length > 0) await writeLedger(ledger, join(dir, 'ledger.ndjson'));
      return { ...verdict, problems: [...problems, ...verdict.problems] };
    },
    close: () => stream.close(),
  };
}
