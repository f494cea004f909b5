import { join } from 'node:path';
import { startProxy } from '../../test/support/tcp-proxy.ts';
import { type NatsServer, startNats } from '../support/nats.ts';
import { openPipeline, type Pipeline } from '../support/pipeline.ts';
import type { ChaosContext, Outcome, Scenario } from '../support/scenario.ts';
import { steadyFlow } from '../support/steady.ts';
import { pause, until } from '../support/waiting.ts';

/** NATS away, NATS back with nothing or with less, and a network that passes one direction only. The crawl must not notice. */

export const outage: Scenario = {
  name: 'outage',
  about: 'NATS stopped under flow, and restarted with its store',
  run: (context) => disturbed(context, stopped),
};
export const restarts: Scenario = {
  name: 'restarts',
  about: 'NATS stopped in good order under full load, and restarted with its store',
  run: (context) => disturbed(context, stoppedAndStarted),
};
export const emptied: Scenario = {
  name: 'emptied',
  about: 'NATS restarted without its store, with events in it that nobody had consumed',
  run: (context) => disturbed(context, lostItsStore),
};
export const dropped: Scenario = {
  name: 'dropped',
  about: 'NATS drops what it has confirmed and nobody has consumed, and goes on as if it had been read',
  run: (context) => disturbed(context, droppedByNats),
};
export const halfCut: Scenario = {
  name: 'half-cut',
  about: 'the connections to NATS cut in one direction, then in the other',
  run: (context) => disturbed(context, cutInHalf),
};

const PER_SECOND = 300;
const CALM_MS = 1_500;
const BURST = 600;
const DRAIN_MS = 180_000;
/** Of a machine that does other things too. */
const MAX_PAUSE_MS = 5_000;

interface Disturbance {
  readonly did: string;
  readonly figures: Readonly<Record<string, number | string>>;
}

interface Disturbed {
  readonly context: ChaosContext;
  readonly nats: NatsServer;
  readonly pipeline: Pipeline;
  /** Breaks the connections of sentry and consumer in this direction until they are healed. */
  blackhole(direction: 'up' | 'down'): void;
  heal(): void;
  /** Resolves when so many more events are promised, as fast as they can be. */
  burst(events: number): Promise<void>;
}

async function disturbed(
  context: ChaosContext,
  disturb: (disturbed: Disturbed) => Promise<Disturbance>,
): Promise<Outcome> {
  const { dir, random } = context;
  const nats = await startNats(join(dir, 'nats'));
  const [sentrySide, consumerSide] = await Promise.all([startProxy(nats.url), startProxy(nats.url)]);
  const pipeline = await openPipeline({
    dir,
    random,
    natsUrl: nats.url,
    sentryNatsUrl: sentrySide.url,
    consumerNatsUrl: consumerSide.url,
  });
  await pipeline.feeder.start();
  await pipeline.consumer.start();
  const flow = steadyFlow(pipeline, PER_SECOND);
  await pause(CALM_MS);

  const { did, figures } = await disturb({
    context,
    nats,
    pipeline,
    blackhole(direction) {
      for (const proxy of [sentrySide, consumerSide]) proxy.blackhole(direction);
    },
    async burst(events) {
      const goal = pipeline.ledger.committed.size + events;
      await pipeline.flow(() => (pipeline.ledger.committed.size >= goal ? null : goal));
    },
    heal() {
      for (const proxy of [sentrySide, consumerSide]) proxy.heal();
    },
  });

  await pause(CALM_MS);
  await flow.stop();
  await pipeline.drained(DRAIN_MS);
  const left = await pipeline.left();
  const verdict = await pipeline.finish();
  await pipeline.close();
  await Promise.all([sentrySide.close(), consumerSide.close()]);
  await nats.kill('SIGKILL');
  const pauseMs = flow.longestPauseMs();
  const problems = pauseMs > MAX_PAUSE_MS ? [`no event was promised for ${pauseMs} ms`] : [];
  return {
    did,
    figures: { ...verdict.figures, ...left, ...figures, 'longest pause ms': pauseMs },
    problems: [...problems, ...verdict.problems],
  };
}

async function stopped({ context: { short, say }, nats, pipeline }: Disturbed): Promise<Disturbance> {
  const awayMs = short ? 10_000 : 60_000;
  const before = await pipeline.stream.lastSequence();
  await nats.kill('SIGTERM');
  say(`NATS is away for ${awayMs / 1000} s`);
  await pause(awayMs);
  const backlog = pipeline.ledger.committed.size - before;
  await nats.start();
  const startMs = performance.now();
  await until('the backlog is published', DRAIN_MS, async () => {
    return (await pipeline.stream.lastSequence()) >= before + backlog;
  });
  const seconds = (performance.now() - startMs) / 1000;
  return {
    did: `NATS stopped for ${awayMs / 1000} s`,
    figures: { backlog, 'drained per s': Math.round(backlog / seconds) },
  };
}

/** The end of a server in good order is a moment in which it takes events that nobody is there for. */
async function stoppedAndStarted({ context: { short }, nats, pipeline, burst }: Disturbed): Promise<Disturbance> {
  const stops = short ? 5 : 20;
  for (let count = 0; count < stops; count++) {
    const calm = pipeline.ledger.committed.size;
    const bursting = burst(BURST);
    await until('the burst is under way', DRAIN_MS, () => pipeline.ledger.committed.size > calm + BURST / 2, 1);
    await nats.kill('SIGTERM');
    await bursting;
    await nats.start();
    await pause(CALM_MS);
  }
  return { did: `NATS stopped in good order and started again ${stops} times under full load`, figures: {} };
}

async function lostItsStore({ context: { short, say }, nats, pipeline }: Disturbed): Promise<Disturbance> {
  // Once with events in it that were published and not consumed, and once in the middle of everything.
  await pipeline.consumer.program().end('SIGKILL');
  await pause(short ? 2_000 : 10_000);
  const unconsumed = await pipeline.stream.held();
  say(`${unconsumed} events are published and not consumed`);
  await emptyNats(nats);
  await pipeline.consumer.start();
  await pause(CALM_MS);
  await emptyNats(nats);
  await pause(CALM_MS);
  return { did: 'NATS restarted empty twice', figures: { 'lost by NATS': unconsumed } };
}

/** As nats-server 2.9 does at times when it is killed: no sequence is lower afterwards, and no durable another one. */
async function droppedByNats({ context: { short, say }, pipeline }: Disturbed): Promise<Disturbance> {
  const times = short ? 2 : 10;
  let lost = 0;
  for (let count = 0; count < times; count++) {
    await pipeline.consumer.program().end('SIGKILL');
    await pause(CALM_MS);
    lost += await pipeline.stream.purge();
    say(`${lost} events were dropped before they were consumed`);
    await pipeline.consumer.start();
    await pause(CALM_MS);
    lost += await pipeline.stream.purge();
  }
  return { did: `NATS dropped what it had ${2 * times} times`, figures: { 'dropped by NATS': lost } };
}

async function emptyNats(nats: NatsServer): Promise<void> {
  await nats.kill('SIGKILL');
  await nats.wipe();
  await nats.start();
}

async function cutInHalf({ context: { short, say }, blackhole, heal }: Disturbed): Promise<Disturbance> {
  const cutMs = short ? 8_000 : 60_000;
  for (const direction of ['up', 'down'] as const) {
    say(`nothing passes ${direction} for ${cutMs / 1000} s`);
    blackhole(direction);
    await pause(cutMs);
    heal();
    await pause(CALM_MS);
  }
  return { did: `nothing passed up, then down, for ${cutMs / 1000} s each`, figures: {} };
}
