import { join } from 'node:path';
import { integerBetween, type Random, shuffled } from '../../src/devnet/random.ts';
import { type NatsServer, startNats } from '../support/nats.ts';
import { openPipeline, type Pipeline } from '../support/pipeline.ts';
import type { Program } from '../support/processes.ts';
import type { ChaosContext, Outcome, Scenario } from '../support/scenario.ts';
import { pause, within } from '../support/waiting.ts';

/** `kill -9` at random instants, spread over sentry, consumer and nats-server, while events flow. */
export const kill: Scenario = { name: 'kill', about: 'kill -9 at random instants while events flow', run };

const FULL = { kills: 200, events: 50_000 };
const SHORT = { kills: 20, events: 5_000, ackWaitMs: 4_000 };
const DRAIN_MS = 180_000;
/** Without progress for so long, the victim is killed all the same. */
const PROGRESS_MS = 10_000;
const MAX_DELAY_MS = 300;
const DRIP_MS = 20;
/** Where it is in the list of victims. */
const NATS = 2;
/** Some are killed while they start and repair what the last kill has left. */
const STARTING_SHARE = 0.2;
const STARTING_MS = 1_200;
/** Some are killed while they end in good order. */
const ENDING_SHARE = 0.2;

interface Strike {
  /** Killed once more so long after it was started again; `null` to let it start. */
  readonly startingMs: number | null;
  readonly delayMs: number;
  /** Killed so long after it was asked to end in good order; `null` to kill it without a word. */
  readonly endingMs: number | null;
}

interface Victim {
  readonly name: string;
  /** What has been done by it so far. */
  progress(): Promise<number>;
  strike(how: Strike): Promise<void>;
  start(): Promise<void>;
  /** Absent for who has nothing to repair that is ours. */
  killStarting?(): Promise<unknown>;
  kills: number;
}

async function run(context: ChaosContext): Promise<Outcome> {
  const { dir, short, say } = context;
  const random = context.random('kills');
  const { kills: total, events: target, ...how } = short ? SHORT : { ...FULL };
  const nats = await startNats(join(dir, 'nats'));
  const pipeline = await openPipeline({ dir, random: context.random, natsUrl: nats.url, ...how });
  await pipeline.feeder.start();
  await pipeline.consumer.start();

  const victims = victimsOf(pipeline, nats);
  const done = () => victims.reduce((sum, { kills }) => sum + kills, 0);
  let isOver = false;
  // Events flow up to the last kill, and never stop: who waits for a victim to do something needs some.
  let lastKillMs = performance.now();
  const goal = () => {
    if (done() === total) return target;
    return Math.ceil((target * (done() + 1)) / total) + Math.floor((performance.now() - lastKillMs) / DRIP_MS);
  };
  const flowing = pipeline.flow(() => (isOver ? null : goal()));
  const problems: string[] = [];
  try {
    while (done() < total) {
      const number = Math.min(total - done(), random() < 0.3 ? 2 : 1);
      const struck = shuffled(random, victims)
        .slice(0, number)
        .map((victim) => ({ victim, strike: strikeOf(random) }));
      await Promise.all(struck.map(({ victim, strike }) => strikeOne(victim, strike)));
      lastKillMs = performance.now();
      // NATS first: a consumer that finds none at its start says so and ends, as it should.
      struck.sort((a, b) => Number(b.victim === victims[NATS]) - Number(a.victim === victims[NATS]));
      for (const { victim, strike } of struck) await restart(victim, done() < total ? strike.startingMs : null);
      if (done() % (total / 10) < number) say(`${done()} kills, ${pipeline.ledger.committed.size} events`);
    }
    await within(DRAIN_MS, () => pipeline.ledger.committed.size >= target);
  } finally {
    isOver = true;
    await flowing;
  }
  say('no more kills; draining');
  await pipeline.drained(DRAIN_MS);
  say('drained');
  const left = await pipeline.left();
  const verdict = await pipeline.finish();
  await pipeline.close();
  await nats.kill('SIGKILL');
  if (verdict.figures.events < target)
    problems.push(`only ${verdict.figures.events} of ${target} events were promised`);
  const each = victims.map(({ name, kills }) => `${name} ${kills}`).join(', ');
  return {
    did: `kills ${done()} (${each})`,
    figures: { ...verdict.figures, ...left },
    problems: [...problems, ...verdict.problems],
  };
}

function strikeOf(random: Random): Strike {
  const delayMs = integerBetween(random, 0, MAX_DELAY_MS);
  const isEnding = random() < ENDING_SHARE;
  const endingMs = integerBetween(random, 0, MAX_DELAY_MS);
  const isStarting = random() < STARTING_SHARE;
  const startingMs = integerBetween(random, 0, STARTING_MS);
  return { delayMs, endingMs: isEnding ? endingMs : null, startingMs: isStarting ? startingMs : null };
}

async function strikeOne(victim: Victim, strike: Strike): Promise<void> {
  let before = Number.POSITIVE_INFINITY;
  // Who is asked while its neighbour is being killed may not answer.
  await within(PROGRESS_MS, async () => {
    const now = await victim.progress();
    before = Math.min(before, now);
    return now > before;
  });
  await pause(strike.delayMs);
  await victim.strike(strike);
  victim.kills++;
}

async function restart(victim: Victim, startingMs: number | null): Promise<void> {
  if (startingMs !== null && victim.killStarting !== undefined) {
    const starting = victim.start().then(
      () => true,
      () => false,
    );
    await pause(startingMs);
    await victim.killStarting();
    await starting;
    victim.kills++;
  }
  await victim.start();
}

function victimsOf(pipeline: Pipeline, nats: NatsServer): Victim[] {
  const { ledger, feeder, consumer, stream } = pipeline;
  const killProgram = async (program: Program, { endingMs }: Strike) => {
    if (endingMs !== null) {
      program.signal('SIGTERM');
      await pause(endingMs);
    }
    await program.end('SIGKILL');
  };
  return [
    {
      name: 'sentry',
      kills: 0,
      progress: async () => ledger.committed.size,
      strike: (how) => killProgram(feeder.program(), how),
      start: () => feeder.start(),
      killStarting: () => feeder.program().end('SIGKILL'),
    },
    {
      name: 'consumer',
      kills: 0,
      progress: async () => consumer.applied(),
      strike: (how) => killProgram(consumer.program(), how),
      start: () => consumer.start(),
      killStarting: () => consumer.program().end('SIGKILL'),
    },
    {
      name: 'nats',
      kills: 0,
      progress: () => stream.lastSequence(),
      strike: ({ endingMs }) => nats.kill(endingMs === null ? 'SIGKILL' : 'SIGTERM'),
      start: () => nats.start(),
    },
  ];
}
