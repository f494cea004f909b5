import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { integerBetween, shuffled } from '../../src/devnet/random.ts';
import { startNats } from '../support/nats.ts';
import { openPipeline, type Pipeline } from '../support/pipeline.ts';
import type { Program, Under } from '../support/processes.ts';
import type { ChaosContext, Outcome, Scenario } from '../support/scenario.ts';
import { canTrace, type Fault, faulty, hit } from '../support/tracing.ts';
import { pause, until } from '../support/waiting.ts';

/**
 * The real programs under strace, killed before their n-th sync, rename, removal or write, or that call failing, for
 * n = 1, 2, 3, … Each run goes on with what the one before it of its group has left.
 */
export const crashPoints: Scenario = {
  name: 'crash-points',
  about: 'killed at, or failed by, one system call after the other',
  run,
};

interface Kind {
  readonly calls: string;
  readonly error: string;
  /** Every so many of them; there are hundreds of the small ones. */
  readonly step: number;
  /** A run has at least about so many of them: where the points of the short form are chosen from. */
  readonly reach: number;
}
const KINDS: readonly Kind[] = [
  { calls: 'fsync,fdatasync', error: 'EIO', step: 1, reach: 20 },
  { calls: 'rename', error: 'EIO', step: 1, reach: 6 },
  { calls: 'unlink', error: 'EIO', step: 1, reach: 3 },
  { calls: 'ftruncate', error: 'EIO', step: 1, reach: 1 },
  { calls: 'pwrite64', error: 'ENOSPC', step: 24, reach: 100 },
  // Files, and the acknowledgements that go to NATS.
  { calls: 'write,writev', error: 'ENOSPC', step: 64, reach: 100 },
];
const SHORT_POINTS = 6;
const EVENTS = 30;
const WORK_MS = 60_000;
const IN_PROCESS = 'the crash points inside the process are in test/io/parquet and test/io/consumer*.test.ts';

/** The program that is under strace, while the other one lives in peace. */
interface Target {
  readonly name: string;
  start(under?: Under): Promise<void>;
  program(): Program;
  /** Whether everything sent has gone through it. */
  isDone(): boolean;
}

interface Tally {
  points: number;
  killed: number;
  survived: number;
  'gave up': number;
}

async function run(context: ChaosContext): Promise<Outcome> {
  if (!canTrace())
    return {
      did: `nothing, since strace is not there or may not trace; ${IN_PROCESS}`,
      figures: {},
      problems: [],
      isImpossible: true,
    };
  const outcomes: Awaited<ReturnType<typeof onTarget>>[] = [];
  for (const name of ['consumer', 'sentry'] as const) {
    // On new folders for each group: in one of hundreds of runs, most calls of a start are for what the others have left.
    const groups = faultsOf(context, name);
    const rounds = context.short ? [groups] : groups.map((group) => [group]);
    for (const [round, faults] of rounds.entries()) {
      outcomes.push(await onTarget({ ...context, dir: join(context.dir, `${name}-${round}`) }, name, faults));
    }
  }
  const figures: Record<string, number> = {};
  for (const outcome of outcomes) {
    for (const [name, figure] of Object.entries(outcome.figures)) figures[name] = (figures[name] ?? 0) + figure;
  }
  return {
    did: 'consumer and sentry killed at, or failed by, one system call after the other',
    figures,
    problems: outcomes.flatMap(({ problems }) => problems),
  };
}

/** Gives one program under strace one fault after the other, and compares in the end. */
async function onTarget(context: ChaosContext, name: 'consumer' | 'sentry', groups: Iterable<Fault>[]) {
  const { dir } = context;
  await mkdir(dir, { recursive: true });
  const nats = await startNats(join(dir, 'nats'));
  const pipeline = await openPipeline({ dir, random: context.random, natsUrl: nats.url, ackWaitMs: 2_000 });
  const { feeder, consumer, ledger } = pipeline;
  const targets: Record<typeof name, Target> = {
    consumer: {
      name,
      start: consumer.start,
      program: consumer.program,
      isDone: () => consumer.applied() >= ledger.committed.size,
    },
    sentry: {
      name,
      start: feeder.start,
      program: feeder.program,
      isDone: () => feeder.unanswered() === 0 && pipeline.isApplied(),
    },
  };
  await (name === 'consumer' ? feeder.start() : consumer.start());
  const tally: Tally = { points: 0, killed: 0, survived: 0, 'gave up': 0 };
  const problems: string[] = [];
  for (const faults of groups) {
    for (const fault of faults) {
      const tracePath = join(dir, `trace-${tally.points}`);
      const outcome = await runOnce(pipeline, targets[name], fault, tracePath);
      problems.push(...outcome.problems);
      const where = await hit(tracePath, fault);
      if (where === null) break;
      tally.points++;
      tally[outcome.end]++;
      context.say(`${name}: ${fault.error ?? 'killed'} at ${where}: ${outcome.end}`);
    }
  }
  await targets[name].start();
  await pipeline.drained(WORK_MS);
  const left = await pipeline.left();
  const verdict = await pipeline.finish();
  await pipeline.close();
  await nats.kill('SIGKILL');
  return { figures: { ...verdict.figures, ...left, ...tally }, problems: [...problems, ...verdict.problems] };
}

/** Groups of faults: a group ends when a run has fewer such calls than the fault asks for. */
function faultsOf({ random, short }: ChaosContext, target: string): Iterable<Fault>[] {
  const numbers = random(`points of ${target}`);
  const modes = KINDS.flatMap((kind) => [kind, { ...kind, error: null }]);
  if (!short)
    return modes.map(({ calls, error, step }) => counting(calls, error, integerBetween(numbers, 1, step), step));
  return shuffled(numbers, modes)
    .slice(0, SHORT_POINTS)
    .map(({ calls, error, reach }) => [{ calls, error, nth: integerBetween(numbers, 1, reach) }]);
}

function* counting(calls: string, error: string | null, first: number, step: number): Generator<Fault> {
  for (let nth = first; ; nth += step) yield { calls, error, nth };
}

/** Starts the target with the fault, gives it some events, and ends it in good order if it is still there. */
async function runOnce(
  { flow, ledger, feeder }: Pipeline,
  target: Target,
  fault: Fault,
  tracePath: string,
): Promise<{ end: 'killed' | 'survived' | 'gave up'; problems: string[] }> {
  const started = await target.start(faulty(fault, tracePath)).then(
    () => true,
    () => false,
  );
  const program = target.program();
  const goal = ledger.committed.size + EVENTS;
  if (started) {
    let isOver = false;
    const flowing = flow(() => (isOver || ledger.committed.size >= goal ? null : goal));
    await until(`the ${target.name} has done its work (${JSON.stringify(fault)})`, WORK_MS, () => {
      if (!program.isRunning()) return true;
      const isSent = ledger.committed.size >= goal || !feeder.program().isRunning();
      return isSent && target.isDone();
    });
    isOver = true;
    await flowing;
    if (program.isRunning()) program.signal('SIGTERM');
  }
  const code = await Promise.race([program.exited, pause(WORK_MS, 'late' as const, { ref: false })]);
  if (code === 'late')
    return { end: 'survived', problems: [`the ${target.name} does not end after ${JSON.stringify(fault)}`] };
  if (code === null) return { end: 'killed', problems: [] };
  if (code === 0) return { end: 'survived', problems: [] };
  const told = program.said.some((line) => line.startsWith('valtrack: ')) || target.name === 'sentry';
  const silent = `the consumer ended with ${code} at ${JSON.stringify(fault)} without saying why: ${program.said.slice(-4).join(' | ')}`;
  return { end: 'gave up', problems: told ? [] : [silent] };
}
