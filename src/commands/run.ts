import { type RunSettings, runProgram } from '../programs/run-program.ts';
import { endCrawl } from './end-crawl.ts';
import type { Options } from './options.ts';
import { runSettings } from './settings.ts';
import { renderSummary } from './summary.ts';
import { type Running, type Session, untilStopped } from './until-stopped.ts';
import { takeSnapshot, type Watched, watch } from './watch.ts';

/** `run`: crawl, store and serve in one process. */
export function run(options: Options): Promise<number> {
  return untilStopped(options, async (session) => start(await runSettings(options, session), session));
}

async function start(settings: RunSettings, { screen, stack }: Session): Promise<Running> {
  const startedMs = Date.now();
  const { parts, failed$ } = await runProgram(settings).start(stack);
  const { network, events, storing, serving, sentry } = parts;
  const { url } = serving;
  const watched: Watched = { network: network.network.name, startedMs, sentry, storing: { storing, url }, events };
  const watching = watch(watched, screen, stack);
  return {
    failed$,
    async finish() {
      watching.unsubscribe();
      const left = await endCrawl(sentry, events);
      // With something left there was little time, and it is better used to say so.
      if (left === null) await storing.located();
      const summary = renderSummary(await takeSnapshot(watched), await storing.summary(), network.truth);
      return left === null ? summary : `${summary}\n${left}.`;
    },
  };
}
