import { concatMap, from, throwError } from 'rxjs';
import type { EstimatorNetwork } from '../../consensus/estimators/estimator-network.ts';
import type { Logger } from '../../io/logging/logger.ts';
import { type NetworkFigures, networkFigures } from '../../io/storage/tracker/network-figures.ts';
import { type ViewReader, viewReader } from '../../io/storage/tracker/view-reader.ts';
import type { EventLog } from '../../streams/ports/event-log.ts';
import type { GeoChain } from '../../streams/ports/geo-locator.ts';
import { keepRunning } from '../keep-running.ts';
import { type Part, partOf } from '../part.ts';
import { consumerMetrics, geolocationMetrics } from './consumer-metrics.ts';
import { type Geolocation, type GeolocationCounts, startGeolocation } from './geolocation.ts';
import type { Keep } from './retention.ts';
import { type Consumer, type ConsumerCounts, startConsumer } from './start-consumer.ts';
import { onTopOf, sumConsumerCounts, sumGeolocationCounts } from './sum-counts.ts';
import { NO_TOTALS, type StoredPeer, type StoreTotals, storedPeers, storeTotals } from './totals.ts';

/** What stores: the consumer of the event log, and beside it what finds out where peers are. */
export interface Storing extends Part {
  /** The consumer as it runs now, or ran last. */
  readonly consumer: Consumer;
  /** Since the start of the program, over all consumers. */
  counts(): ConsumerCounts;
  /** What there is to read, another one with each consumer; `null` while none runs. */
  stored(): StoredView | null;
  /** What fails at the moment and is being retried. */
  problems(): string[];
  /** The published rule's figures over all peers; those of before while the consumer is down. */
  totals(): Promise<StoreTotals>;
  /** What is in the view at the end; `null` while the consumer is down. */
  summary(): Promise<StoredSummary | null>;
  /** Resolves when every peer is where its address is, as far as that can be known within seconds. */
  located(): Promise<void>;
}

/** The view, ready to be asked. */
export interface StoredView {
  readonly view: ViewReader;
  readonly figures: NetworkFigures;
  readonly geolocation: Geolocation;
}

export interface StoredSummary {
  readonly peers: readonly StoredPeer[];
  /** Of all of them together. */
  readonly figures: Awaited<ReturnType<NetworkFigures['totals']>>;
}

export interface StoringOptions {
  readonly log: EventLog;
  readonly dataDir: string;
  /** Name under which the log remembers what has been consumed. */
  readonly durable: string;
  /** What the events are about; `null` where that is not known, and then custody counts alone tell of validators. */
  readonly network: EstimatorNetwork | null;
  /** Where addresses are. Not closed here. */
  readonly places: GeoChain;
  readonly rotateRows: number;
  readonly rotateMs: number;
  readonly keep: Keep;
  readonly logger: Logger;
}

/** How long the end waits for the last addresses; what is not located by then is at the next start. */
const LOCATED_MS = 3_000;
const EVER = { fromMs: 0, toMs: Number.MAX_SAFE_INTEGER };

/**
 * Starts to consume and to locate. A source of locations that fails is told of by `/api/v1/geolocation` and the log, and is no reason to
 * be not ready, for the program does all of its other work.
 */
export async function startStoring(options: StoringOptions): Promise<Storing> {
  const { network, logger } = options;
  let totals = NO_TOTALS;
  /** Of all consumers so far, and of all that located their peers. */
  let counts: (() => ConsumerCounts) | null = null;
  let located: (() => GeolocationCounts) | null = null;

  async function start() {
    const run = await consumeAndLocate(options);
    counts = onTopOf(counts, run.consumer.counts, sumConsumerCounts);
    located = onTopOf(located, run.stored.geolocation.counts, sumGeolocationCounts);
    return run;
  }

  const keeper = await keepRunning('the consumer', start, { logger });
  const countsNow = () => counts?.() ?? keeper.last.consumer.counts();
  const geolocation = () => keeper.last.stored.geolocation;
  return {
    ...partOf(keeper.name, {
      failed$: keeper.failed$,
      checks: [
        {
          name: keeper.name,
          reason: async () => keeper.problem() ?? (keeper.last.consumer.problems().join('; ') || null),
        },
      ],
      metrics: [
        ...keeper.metrics,
        ...consumerMetrics(countsNow),
        ...geolocationMetrics({
          counts: () => located?.() ?? geolocation().counts(),
          problems: () => geolocation().problems(),
        }),
      ],
      stop: () => keeper.stop(),
    }),
    get consumer() {
      return keeper.last.consumer;
    },
    counts: countsNow,
    stored: () => keeper.current?.stored ?? null,
    problems: () => [...keeper.last.consumer.problems(), ...geolocation().problems()],
    async totals() {
      if (keeper.current !== null) totals = await storeTotals(keeper.current.consumer.database.figures);
      return totals;
    },
    located: async () => keeper.current?.stored.geolocation.settled(LOCATED_MS),
    async summary() {
      if (keeper.current === null) return null;
      const database = keeper.current.consumer.database.figures;
      return { peers: await storedPeers(database), figures: await networkFigures(database, network).totals(EVER) };
    },
  };
}

/** One consumer, from its start to its end, and what locates the peers of its view. */
async function consumeAndLocate(options: StoringOptions) {
  const { log, dataDir, durable, network, places: chain, rotateRows, rotateMs, keep, logger } = options;
  const consumer = await startConsumer({
    log,
    dataDir,
    durable,
    logger,
    rotateRows,
    rotateMs,
    keep,
    ...(network === null ? {} : { network }),
  });
  const { database, summaries } = consumer;
  const { reader, figures } = database;
  const geolocation = startGeolocation({ chain, database, wake$: summaries, logger });
  const stored: StoredView = { view: viewReader(reader), figures: networkFigures(figures, network), geolocation };
  return {
    consumer,
    stored,
    failed$: from(consumer.ended).pipe(concatMap(() => throwError(() => new Error('the consumer has ended')))),
    async stop() {
      geolocation.close();
      await consumer.close();
    },
  };
}
