import { concatMap, from, merge, type Observable, throwError } from 'rxjs';
import type { EstimatorNetwork } from '../consensus/estimators/estimator-network.ts';
import { type Consumer, startConsumer } from '../io/consumer.ts';
import { apiKeysFrom } from '../io/http/api-keys.ts';
import { createApp } from '../io/http/app.ts';
import { healthOnly } from '../io/http/health.ts';
import { pseudonymFrom } from '../io/http/pseudonym.ts';
import { keepRunning } from '../io/keep-running.ts';
import type { Logger } from '../io/logger.ts';
import type { MetricSources } from '../io/metrics.ts';
import { networkFigures } from '../io/tracker/network-figures.ts';
import { viewReader } from '../io/tracker/view-reader.ts';
import type { EventLog } from '../streams/ports/event-log.ts';
import type { Check } from './health.ts';
import { startHttpPart } from './http-part.ts';
import type { Options } from './options.ts';
import { type SummaryPeer, summaryPeers } from './summary.ts';

export interface Store {
  /** The consumer as it runs now, or ran last. */
  readonly consumer: Consumer;
  readonly url: string;
  /** Errors when the consumer or the HTTP server has failed for good. */
  readonly failed$: Observable<never>;
  /** The published rule's figures over all peers; those of before while the consumer is down. */
  totals(): Promise<StoreTotals>;
  /** The peers of the view; none while the consumer is down. */
  peers(): Promise<SummaryPeer[]>;
}

export interface StoreTotals {
  readonly peers: number;
  readonly observations: number;
  readonly validators: number;
}

/** What the API tells of the program. What starts later adds its own. */
export interface Told {
  readonly checks: Check[];
  readonly metrics: MetricSources;
}

/**
 * Starts the consumer and the HTTP API, which tells what it is told; both stop with the stack, the API first.
 * @param network what the events are about; `null` where that is not known, and then custody counts alone tell of validators
 */
export async function startStore(
  options: Pick<Options, 'consumerName' | 'httpHost' | 'httpPort' | 'apiKeys'>,
  network: EstimatorNetwork | null,
  log: EventLog,
  dataDir: string,
  { checks, metrics }: Told,
  stack: AsyncDisposableStack,
  logger: Logger,
): Promise<Store> {
  const pseudonym = await pseudonymFrom(dataDir);
  let totals: StoreTotals = { peers: 0, observations: 0, validators: 0 };

  /** The consumer, and the API on its database. */
  async function startPart() {
    const consumer = await startConsumer({
      log,
      dataDir,
      durable: options.consumerName,
      logger,
      ...(network === null ? {} : { network }),
    });
    metrics.consumer = consumer;
    const { reader } = consumer.database;
    const { fetch } = createApp({
      view: viewReader(reader),
      figures: networkFigures(reader, network),
      isApiKey: apiKeysFrom(options.apiKeys),
      pseudonym,
      readiness: checks,
      metrics,
      logger,
    });
    const failed$ = from(consumer.ended).pipe(concatMap(() => throwError(() => new Error('the consumer has ended'))));
    return { consumer, reader, fetch, failed$, stop: () => consumer.close() };
  }

  const keeper = await keepRunning('the consumer', startPart, { logger });
  stack.defer(() => keeper.stop());
  const down = healthOnly(checks);
  const http = await startHttpPart(options, (request) => (keeper.current ?? down).fetch(request), stack, logger);
  checks.push(async () => keeper.problem() ?? (keeper.last.consumer.problems().join('; ') || null), http.check);
  logger.info({ url: `${http.url}/validators` }, 'serving');
  return {
    get consumer() {
      return keeper.last.consumer;
    },
    url: http.url,
    failed$: merge(keeper.failed$, http.failed$),
    async totals() {
      const row = await keeper.current?.reader.get<StoreTotals>(
        `SELECT count(*) AS peers, coalesce(sum(num_observations), 0) AS observations,
                coalesce(sum(max_validator_count), 0) AS validators FROM validator_tracker`,
      );
      totals = row ?? totals;
      return totals;
    },
    peers: async () => (keeper.current === null ? [] : await summaryPeers(keeper.current.reader)),
  };
}
