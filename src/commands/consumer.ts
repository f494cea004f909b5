import { type ConsumerSettings, consumerProgram } from '../programs/consumer-program.ts';
import type { Options } from './options.ts';
import { consumerSettings } from './settings.ts';
import { renderSummary } from './summary.ts';
import { type Running, type Session, untilStopped } from './until-stopped.ts';
import { takeSnapshot, type Watched, watch } from './watch.ts';

/** `consumer`: consume from NATS JetStream, store and serve. */
export function consumer(options: Options): Promise<number> {
  return untilStopped({ ...options, forMs: undefined }, async (session) =>
    start(await consumerSettings(options, session), session),
  );
}

async function start(settings: ConsumerSettings, { screen, stack }: Session): Promise<Running> {
  const startedMs = Date.now();
  const { parts, failed$ } = await (await consumerProgram(settings)).start(stack);
  const { storing, serving } = parts;
  const watched: Watched = {
    network: 'NATS',
    startedMs,
    sentry: null,
    storing: { storing, url: serving.url },
    events: null,
  };
  const watching = watch(watched, screen, stack);
  return {
    failed$,
    async finish() {
      watching.unsubscribe();
      await storing.located();
      return renderSummary(await takeSnapshot(watched), await storing.summary(), null);
    },
  };
}
