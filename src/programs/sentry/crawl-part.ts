import { combineLatest, distinctUntilChanged, map, type Observable } from 'rxjs';
import type { PeerState } from '../../actors/peer.ts';
import type { Logger } from '../../io/logging/logger.ts';
import type { Host } from '../../io/network/libp2p/host.ts';
import type { PeerStore } from '../../streams/ports/peer-store.ts';
import { type Kept, keepRunning } from '../keep-running.ts';
import { notSaved, saveChanges } from './known-peers.ts';
import { type Pipeline, type PipelineOptions, startPipeline } from './pipeline.ts';
import { isUp, steadyDialer } from './steady.ts';

export interface CrawlPartOptions extends Omit<PipelineOptions, 'dialer' | 'isOpen$' | 'restored'> {
  readonly host: Kept<Host>;
  /** Whether the log has room. */
  readonly hasRoom$: Observable<boolean>;
  /** Peers of before, and where they are kept. */
  readonly restored: readonly PeerState[];
  readonly store: Pick<PeerStore, 'save'>;
  readonly logger: Logger;
}

/** The pipeline. Started again it goes on with the peers that it had. */
export function startCrawlPart({
  host,
  hasRoom$,
  store,
  logger,
  ...options
}: CrawlPartOptions): Promise<Kept<Pipeline>> {
  const dialer = steadyDialer(host);
  const isOpen$ = combineLatest([hasRoom$, isUp(host)]).pipe(
    map((open) => open.every(Boolean)),
    distinctUntilChanged(),
  );
  let { restored } = options;
  const start = async () => {
    const pipeline = startPipeline({ ...options, dialer, isOpen$, restored });
    return {
      ...pipeline,
      async stop() {
        await pipeline.stop();
        tellGivenUp(pipeline.unrecorded(), logger);
        await host.current?.leaveAll();
        restored = [...pipeline.registry.records()];
        await saveChanges(store, pipeline.registry).catch(notSaved(logger));
      },
    };
  };
  return keepRunning('the crawl', start, { logger });
}

/** @param events of what was observed and is not durable */
export function tellGivenUp(events: number, logger: Pick<Logger, 'warn'>): void {
  if (events === 0) return;
  logger.warn(
    { events },
    'the log takes nothing, so what was observed last is given up; those peers are visited again',
  );
}
