import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { startNats } from '../support/nats.ts';
import { openPipeline, type Pipeline } from '../support/pipeline.ts';
import type { Program } from '../support/processes.ts';
import type { ChaosContext, Outcome, Scenario } from '../support/scenario.ts';
import { type SmallDisk, smallDisk, whyNoMount } from '../support/small-disk.ts';
import { pause, until } from '../support/waiting.ts';
import { unsound } from '../verify/compare.ts';
import { storedFiles } from '../verify/stored-files.ts';

/** Small file systems that fill up, one after the other: a clear error, not ready, nothing corrupt, and on when there is room. */
export const diskFull: Scenario = {
  name: 'disk-full',
  about: 'a full disk for spool, database and Parquet files',
  run,
};

const PLACES = ['spool', 'database', 'parquet'] as const;
type Place = (typeof PLACES)[number];

const DISK_MEGABYTES = 32;
/** Enough for some events, so that it fills up at work. */
const LEFT_BYTES = 400_000;
const CALM_EVENTS = 500;
const NOTICE_MS = 60_000;
/** Who tries again waits up to a minute. */
const RECOVER_MS = 90_000;
const HELD_MS = 1_500;
const NO_ROOM = /no room|full|ENOSPC|no space/i;

async function run(context: ChaosContext): Promise<Outcome> {
  const reason = await whyNoMount(context.dir);
  if (reason !== null) {
    const instead = 'full disks inside the process are in test/io/event-log and test/io/consumer*.test.ts';
    const did = `nothing, since no tmpfs can be mounted (${reason}); ${instead}`;
    return { did, figures: {}, problems: [], isImpossible: true };
  }
  const figures: Record<string, number> = {};
  const problems: string[] = [];
  for (const place of PLACES) {
    const outcome = await fillUp(context, place);
    for (const [name, figure] of Object.entries(outcome.figures)) figures[name] = (figures[name] ?? 0) + figure;
    problems.push(...outcome.problems.map((problem) => `${place}: ${problem}`));
  }
  return { did: `tmpfs of ${DISK_MEGABYTES} MB full for ${PLACES.join(', ')}`, figures, problems };
}

async function fillUp(context: ChaosContext, place: Place) {
  const dir = join(context.dir, place);
  await mkdir(dir);
  const nats = await startNats(join(dir, 'nats'));
  const folders = { sentryDir: join(dir, 'sentry'), consumerDir: join(dir, 'consumer') };
  const parquetDir = join(folders.consumerDir, 'parquet');
  const disk = await smallDisk(
    { spool: folders.sentryDir, database: folders.consumerDir, parquet: parquetDir }[place],
    DISK_MEGABYTES,
  );
  // The files must not fill the database's disk.
  const others = place === 'database' ? [await smallDisk(parquetDir, 4 * DISK_MEGABYTES)] : [];
  const pipeline = await openPipeline({ dir, random: context.random, natsUrl: nats.url, ackWaitMs: 5_000, ...folders });
  try {
    await pipeline.feeder.start();
    await pipeline.consumer.start();
    await flowUpTo(pipeline, CALM_EVENTS);
    const isSpool = place === 'spool';
    // Events are to wait on the disk that fills up.
    if (isSpool) await nats.kill('SIGTERM');
    const subject: Subject = isSpool
      ? { program: pipeline.feeder.program, problem: pipeline.feeder.problem }
      : { program: pipeline.consumer.program, problem: pipeline.consumer.unready };
    const problems = await fullAndBack(context, place, pipeline, disk, subject);
    if (isSpool) await nats.start();
    await flowUpTo(pipeline, pipeline.ledger.committed.size + CALM_EVENTS);
    await pipeline.drained(RECOVER_MS);
    const left = await pipeline.left();
    const verdict = await pipeline.finish();
    await pipeline.close();
    await nats.kill('SIGKILL');
    return { figures: { ...verdict.figures, ...left }, problems: [...problems, ...verdict.problems] };
  } finally {
    for (const mounted of [...others, disk]) mounted.unmount();
  }
}

/** Who suffers from the full disk. */
interface Subject {
  program(): Program;
  /** Why it is not ready; `null` when it is. */
  problem(): Promise<string | null>;
}

async function fullAndBack(
  { say }: ChaosContext,
  place: Place,
  pipeline: Pipeline,
  disk: SmallDisk,
  { program, problem }: Subject,
): Promise<string[]> {
  const problems: string[] = [];
  await disk.fill(LEFT_BYTES);
  let isOver = false;
  const flowing = pipeline.flow(() => (isOver ? null : Number.MAX_SAFE_INTEGER));
  let told = '';
  await until(`the full disk of the ${place} makes it not ready`, NOTICE_MS, async () => {
    told = (await problem()) ?? '';
    return NO_ROOM.test(told);
  });
  say(`${place}: ${told}`);
  await pause(HELD_MS);
  isOver = true;
  await flowing;

  const { pid } = program();
  if (!program().isRunning()) problems.push('the process did not live through it');
  const line = program().log.find(
    ({ level, msg, err }) => level >= 40 && NO_ROOM.test(`${msg} ${JSON.stringify(err)}`),
  );
  if (line === undefined) problems.push('no line of the log says that there is no room');
  else say(`${place}: ${line.msg}`);
  problems.push(...(await corrupt(pipeline)));

  await disk.makeRoom();
  const startMs = performance.now();
  await until(`the ${place} goes on by itself`, RECOVER_MS, async () => {
    const isGoing = place === 'spool' ? pipeline.feeder.unanswered() === 0 : (await problem()) === null;
    return isGoing;
  });
  say(`${place}: goes on ${Math.round((performance.now() - startMs) / 100) / 10} s after there was room`);
  if (program().pid !== pid) problems.push('it is another process now');
  return problems;
}

async function corrupt({ sentryDir, consumerDir }: Pipeline): Promise<string[]> {
  const { broken } = await storedFiles(consumerDir, { isAtRest: false });
  return [
    ...unsound(join(sentryDir, 'sentry.sqlite')),
    ...unsound(join(consumerDir, 'validator_tracker.sqlite')),
    ...broken,
  ];
}

async function flowUpTo(pipeline: Pipeline, goal: number): Promise<void> {
  await pipeline.flow(() => (pipeline.ledger.committed.size >= goal ? null : goal));
}
