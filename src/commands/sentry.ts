import { type SentrySettings, sentryProgram } from '../programs/sentry-program.ts';
import { endCrawl } from './end-crawl.ts';
import type { Options } from './options.ts';
import { sentrySettings } from './settings.ts';
import { renderSummary } from './summary.ts';
import { type Running, type Session, untilStopped } from './until-stopped.ts';
import { takeSnapshot, type Watched, watch } from './watch.ts';

/** `sentry`: crawl and publish to NATS JetStream. */
export function sentry(options: Options): Promise<number> {
  return untilStopped(options, async (session) => start(await sentrySettings(options, session), session));
}

async function start(settings: SentrySettings, { screen, stack }: Session): Promise<Running> {
  const startedMs = Date.now();
  const { parts, failed$ } = await sentryProgram(settings).start(stack);
  const { network, events, sentry } = parts;
  const watched: Watched = { network: network.network.name, startedMs, sentry, storing: null, events };
  const watching = watch(watched, screen, stack);
  return {
    failed$,
    async finish() {
      watching.unsubscribe();
      const left = await endCrawl(sentry, events);
      const summary = renderSummary(await takeSnapshot(watched), null, network.truth);
      return left === null ? summary : `${summary}\n${left}.`;
    },
  };
}
