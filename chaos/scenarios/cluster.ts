import { startCluster } from '../../test/support/nats-cluster.ts';
import { openPipeline } from '../support/pipeline.ts';
import type { ChaosContext, Outcome, Scenario } from '../support/scenario.ts';
import { steadyFlow } from '../support/steady.ts';
import { pause } from '../support/waiting.ts';

/** Three nats-servers in a cluster, a replicated stream, and its leader killed again and again under load. */
export const cluster: Scenario = { name: 'cluster', about: 'three nats-servers, the leader killed every 5 s', run };

const PER_SECOND = 200;
const EVERY_MS = 5_000;
/** The killed one comes back after this long, and has the rest of the time to catch up. */
const DOWN_MS = 1_500;
const CALM_MS = 1_500;
const DRAIN_MS = 180_000;
const MAX_PAUSE_MS = 5_000;
const REPLICAS = 3;

async function run({ dir, random, short, say }: ChaosContext): Promise<Outcome> {
  const forMs = short ? 15_000 : 60_000;
  const nats = await startCluster(REPLICAS);
  const pipeline = await openPipeline({ dir, random, natsUrl: nats.url, replicas: REPLICAS });
  await pipeline.feeder.start();
  await pipeline.consumer.start();
  const replicas = await pipeline.stream.replicas();
  const flow = steadyFlow(pipeline, PER_SECOND);
  await pause(CALM_MS);
  const endMs = performance.now() + forMs;
  let kills = 0;
  while (performance.now() < endMs) {
    const leader = await nats.leaderOf('EVENTS');
    await leader.kill('SIGKILL');
    kills++;
    say(`${leader.name}, the leader, is killed; ${pipeline.ledger.committed.size} events`);
    await pause(DOWN_MS);
    await leader.restart();
    await pause(EVERY_MS - DOWN_MS);
  }
  await flow.stop();
  await pipeline.drained(DRAIN_MS);
  const left = await pipeline.left();
  const verdict = await pipeline.finish();
  await pipeline.close();
  await nats.dispose();
  const pauseMs = flow.longestPauseMs();
  const problems = pauseMs > MAX_PAUSE_MS ? [`no event was promised for ${pauseMs} ms`] : [];
  if (replicas !== REPLICAS) problems.push(`the stream has ${replicas} replicas`);
  return {
    did: `leader killed ${kills} times`,
    figures: { ...verdict.figures, ...left, replicas, 'longest pause ms': pauseMs },
    problems: [...problems, ...verdict.problems],
  };
}
