import { concatMap, from, merge, type Observable, throwError } from 'rxjs';
import type { ChosenNetwork } from '../../commands/choose-network.ts';
import { openGeo } from '../../commands/geo-part.ts';
import type { Options } from '../../commands/options.ts';
import { type SummaryView, summaryPeers } from '../../commands/summary.ts';
import { apiKeysFrom } from '../../io/http/api-keys.ts';
import { createApp } from '../../io/http/app.ts';
import { healthOnly } from '../../io/http/health.ts';
import { pseudonymFrom } from '../../io/http/pseudonym.ts';
import type { Logger } from '../../io/logging/logger.ts';
import type { MetricSources } from '../../io/metrics/metrics.ts';
import { networkFigures } from '../../io/storage/tracker/network-figures.ts';
import { viewReader } from '../../io/storage/tracker/view-reader.ts';
import type { EventLog } from '../../streams/ports/event-log.ts';
import type { Check } from '../health.ts';
import { startHttpPart } from '../http-part.ts';
import { keepRunning } from '../keep-running.ts';
import { type Consumer, type ConsumerCounts, startConsumer } from './consumer.ts';
import { type GeolocationCounts, startGeolocation } from './geolocation.ts';
import { sumConsumerCounts, sumGeolocationCounts } from './sum-counts.ts';

export interface Store {
  /** The consumer as it runs now, or ran last. */
  readonly consumer: Consumer;
  /** Since the start of the program, over all consumers. */
  counts(): ConsumerCounts;
  readonly url: string;
  /** What fails at the moment and is being retried. */
  problems(): string[];
  /** Errors when the consumer or the HTTP server has failed for good. */
  readonly failed$: Observable<never>;
  /** The published rule's figures over all peers; those of before while the consumer is down. */
  totals(): Promise<StoreTotals>;
  /** What is in the view; `null` while the consumer is down. */
  summary(): Promise<SummaryView | null>;
  /** Resolves when every peer is where its address is, as far as that can be known within seconds. */
  located(): Promise<void>;
}

export interface StoreTotals {
  readonly peers: number;
  readonly observations: number;
  readonly validators: number;
  /** Peers of which a place is known, and in how many countries they are. */
  readonly placed: number;
  readonly countries: number;
}

/** What the API tells of the program. What starts later adds its own. */
export interface Told {
  readonly checks: Check[];
  readonly metrics: MetricSources;
}

/** How long the end waits for the last addresses; what is not located by then is at the next start. */
const LOCATED_MS = 3_000;

/**
 * Starts the consumer and the HTTP API, which tells what it is told; both stop with the stack, the API first.
 * Where peers are is asked for beside that: a source of locations that fails is told of by `/api/v1/geolocation` and the log, and is
 * no reason to be not ready, for the program does all of its other work.
 * @param chosen what the events are about; `null` where that is not known, and then custody counts alone tell of validators
 */
export async function startStore(
  options: Pick<
    Options,
    | 'consumerName'
    | 'parquetRows'
    | 'parquetIntervalMs'
    | 'keepAddressesMs'
    | 'keepObservationsMs'
    | 'keepEventsMs'
    | 'httpHost'
    | 'httpPort'
    | 'apiKeys'
    | 'geo'
    | 'mmdb'
    | 'ipinfoToken'
    | 'ipMetadata'
  >,
  chosen: Pick<ChosenNetwork, 'network' | 'devnetFile'> | null,
  log: EventLog,
  dataDir: string,
  { checks, metrics }: Told,
  stack: AsyncDisposableStack,
  logger: Logger,
): Promise<Store> {
  const pseudonym = await pseudonymFrom(dataDir);
  const network = chosen?.network ?? null;
  const chain = await openGeo(options, chosen?.devnetFile ?? null, logger);
  stack.defer(() => chain.close());
  let totals: StoreTotals = { peers: 0, observations: 0, validators: 0, placed: 0, countries: 0 };

  /** Of all consumers so far, and of all that located their peers. */
  let counts: (() => ConsumerCounts) | null = null;
  let located: (() => GeolocationCounts) | null = null;

  /** The consumer, and the API on its database. */
  async function startPart() {
    const consumer = await startConsumer({
      log,
      dataDir,
      durable: options.consumerName,
      logger,
      rotateRows: options.parquetRows,
      rotateMs: options.parquetIntervalMs,
      keep: {
        addressesMs: options.keepAddressesMs,
        observationsMs: options.keepObservationsMs,
        eventsMs: options.keepEventsMs,
      },
      ...(network === null ? {} : { network }),
    });
    const { database, summaries } = consumer;
    const { reader, figures } = database;
    const geolocation = startGeolocation({ chain, database, wake$: summaries, logger });
    counts = onTopOf(counts, consumer.counts, sumConsumerCounts);
    located = onTopOf(located, geolocation.counts, sumGeolocationCounts);
    metrics.consumer = { counts };
    metrics.geolocation = { counts: located, problems: geolocation.problems };
    const { fetch } = createApp({
      view: viewReader(reader),
      figures: networkFigures(figures, network),
      isApiKey: apiKeysFrom(options.apiKeys),
      pseudonym,
      geolocation,
      readiness: checks,
      metrics,
      logger,
    });
    const failed$ = from(consumer.ended).pipe(concatMap(() => throwError(() => new Error('the consumer has ended'))));
    const stop = async () => {
      geolocation.close();
      await consumer.close();
    };
    return { consumer, figures, geolocation, fetch, failed$, stop };
  }

  const keeper = await keepRunning('the consumer', startPart, { logger });
  stack.defer(() => keeper.stop());
  const down = healthOnly(checks);
  const http = await startHttpPart(options, (request) => (keeper.current ?? down).fetch(request), stack, logger);
  checks.push(async () => keeper.problem() ?? (keeper.last.consumer.problems().join('; ') || null), http.check);
  metrics.parts = [...(metrics.parts ?? []), keeper, http.kept];
  logger.info({ url: `${http.url}/validators` }, 'serving');
  return {
    get consumer() {
      return keeper.last.consumer;
    },
    counts: () => counts?.() ?? keeper.last.consumer.counts(),
    url: http.url,
    problems: () => [...keeper.last.consumer.problems(), ...keeper.last.geolocation.problems()],
    failed$: merge(keeper.failed$, http.failed$),
    async totals() {
      const row = await keeper.current?.figures.get<StoreTotals>(
        `SELECT count(*) AS peers, coalesce(sum(num_observations), 0) AS observations,
                coalesce(sum(max_validator_count), 0) AS validators,
                count(country) AS placed, count(DISTINCT country) AS countries FROM validator_tracker`,
      );
      totals = row ?? totals;
      return totals;
    },
    located: async () => keeper.current?.geolocation.settled(LOCATED_MS),
    async summary() {
      if (keeper.current === null) return null;
      const database = keeper.current.figures;
      const figures = await networkFigures(database, network).totals({ fromMs: 0, toMs: Number.MAX_SAFE_INTEGER });
      return { peers: await summaryPeers(database), figures };
    },
  };
}

/** Counts that go on from where those of the part before have ended. */
function onTopOf<Counts>(
  before: (() => Counts) | null,
  since: () => Counts,
  sum: (before: Counts, since: Counts) => Counts,
): () => Counts {
  if (before === null) return since;
  const ended = before();
  return () => sum(ended, since());
}
