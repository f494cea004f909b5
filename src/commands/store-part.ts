import { concatMap, from, type Observable, throwError } from 'rxjs';
import type { EstimatorNetwork } from '../consensus/estimators/estimator-network.ts';
import { type Consumer, startConsumer } from '../io/consumer.ts';
import { apiKeysFrom } from '../io/http/api-keys.ts';
import { createApp } from '../io/http/app.ts';
import { pseudonymFrom } from '../io/http/pseudonym.ts';
import { type HttpServer, startHttp } from '../io/http/server.ts';
import type { Logger } from '../io/logger.ts';
import type { MetricSources } from '../io/metrics.ts';
import { networkFigures } from '../io/tracker/network-figures.ts';
import { viewReader } from '../io/tracker/view-reader.ts';
import type { EventLog } from '../streams/ports/event-log.ts';
import type { Check } from './health.ts';
import type { Options } from './options.ts';

export interface Store {
  readonly consumer: Consumer;
  readonly http: HttpServer;
  /** Errors when the consumer has ended by itself. */
  readonly failed$: Observable<never>;
  /** The published rule's figures over all peers. */
  totals(): Promise<StoreTotals>;
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
  const consumer = await startConsumer({
    log,
    dataDir,
    durable: options.consumerName,
    logger,
    ...(network === null ? {} : { network }),
  });
  stack.defer(() => consumer.close());
  metrics.consumer = consumer;
  const { reader } = consumer.database;
  checks.push(async () => consumer.problems().join('; ') || null);
  const app = createApp({
    view: viewReader(reader),
    figures: networkFigures(reader, network),
    isApiKey: apiKeysFrom(options.apiKeys),
    pseudonym: await pseudonymFrom(dataDir),
    readiness: checks,
    metrics,
    logger,
  });
  const http = await startHttp({ host: options.httpHost, port: options.httpPort, fetch: app.fetch });
  stack.defer(() => http.close());
  logger.info({ url: `${http.url}/validators` }, 'serving');
  return {
    consumer,
    http,
    failed$: from(consumer.ended).pipe(concatMap(() => throwError(() => new Error('the consumer has ended')))),
    async totals() {
      const row = await reader.get<StoreTotals>(
        `SELECT count(*) AS peers, coalesce(sum(num_observations), 0) AS observations,
                coalesce(sum(max_validator_count), 0) AS validators FROM validator_tracker`,
      );
      return row ?? { peers: 0, observations: 0, validators: 0 };
    },
  };
}
