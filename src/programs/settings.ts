import type { GeoOptions } from '../io/geo/open.ts';
import type { Logger } from '../io/logging/logger.ts';
import type { StoringOptions } from './consumer/storing.ts';
import type { EventPathOptions } from './event-path/event-path.ts';
import type { Faults } from './faults.ts';
import type { OpenNetworkOptions } from './network/open-network.ts';
import type { WatchedSentryOptions } from './sentry/watched-sentry.ts';
import type { HttpPlace } from './serving.ts';

/** What the programs are told, each under the name of the part that it is for. */

/** What all of them have. */
export interface CommonSettings {
  readonly dataDir: string;
  /** Errors that nobody has caught. */
  readonly faults: Pick<Faults, 'strays'>;
  /** Aborted when the end has begun: who still waits for something to begin stops waiting. */
  readonly ending: AbortSignal;
  readonly logger: Logger;
}

export interface CrawlSettings extends CommonSettings {
  readonly network: Pick<OpenNetworkOptions, 'choice' | 'activeValidators'>;
  readonly events: Pick<
    EventPathOptions,
    'natsUrl' | 'natsReplicas' | 'consumerName' | 'spoolMaxBytes' | 'spoolMaxAgeMs'
  >;
  readonly sentry: Pick<
    WatchedSentryOptions,
    'crawlerId' | 'crawlerLocation' | 'listenIp' | 'port' | 'agent' | 'dwellMs' | 'optOut' | 'forks' | 'experiment'
  >;
}

export interface StoreSettings extends CommonSettings {
  readonly storing: Pick<StoringOptions, 'durable' | 'rotateRows' | 'rotateMs' | 'keep'>;
  /** Without the file of a devnet, which the network knows. */
  readonly places: Omit<GeoOptions, 'devnetFile'>;
  readonly serving: HttpPlace & { readonly apiKeys: string };
}
