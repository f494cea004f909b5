import { hasIp6, IP6_PORT_DISTANCE } from '../io/network/own/listening.ts';
import type { ConsumerSettings } from '../programs/consumer-program.ts';
import type { RunSettings } from '../programs/run-program.ts';
import type { SentrySettings } from '../programs/sentry-program.ts';
import type { CommonSettings, CrawlSettings, StoreSettings } from '../programs/settings.ts';
import { agentOf } from './agent.ts';
import { geoOptions } from './geo-options.ts';
import { networkChoice, networkNamed } from './network-option.ts';
import { readOptOut } from './opt-out-file.ts';
import { DEFAULT_HTTP_PORT, DEFAULT_NATS_URL } from './option-table.ts';
import type { Options } from './options.ts';
import type { Session } from './until-stopped.ts';
import { UsageError } from './usage-error.ts';

/** What the options say, in the words of the programs. */

const MAX_PORT = 65_535;

type Of = Pick<Session, 'screen' | 'faults' | 'ending'>;

/** @throws UsageError */
export async function runSettings(options: Options, session: Of): Promise<RunSettings> {
  return { ...storeSettings(options, session), ...(await crawlSettings(options, session)) };
}

/** @throws UsageError */
export async function sentrySettings(options: Options, session: Of): Promise<SentrySettings> {
  const { httpHost: host, httpPort: port, natsUrl = DEFAULT_NATS_URL } = options;
  return {
    ...(await crawlSettings({ ...options, natsUrl }, session)),
    serving: port === undefined ? null : { host, port },
  };
}

/** @throws UsageError */
export async function consumerSettings(options: Options, session: Of): Promise<ConsumerSettings> {
  return {
    ...storeSettings(options, session),
    network: { choice: await networkNamed(options), activeValidators: options.activeValidators },
    nats: { url: options.natsUrl ?? DEFAULT_NATS_URL, replicas: options.natsReplicas },
  };
}

function common({ dataDir }: Options, { screen: { logger }, faults, ending }: Of): CommonSettings {
  return { dataDir, faults, ending, logger };
}

async function crawlSettings(options: Options, session: Of): Promise<CrawlSettings> {
  const { natsUrl = null, natsReplicas, consumerName, spoolMaxBytes, spoolMaxAgeMs } = options;
  const { crawlerId, crawlerLocation, listenIp, port, dwellMs, forks } = options;
  const choice = await networkChoice(options);
  if (choice.kind === 'built-in' || choice.kind === 'config') checkIp6Port({ port, listenIp, hasIp6: hasIp6() });
  return {
    ...common(options, session),
    network: { choice, activeValidators: options.activeValidators },
    events: { natsUrl, natsReplicas, consumerName, spoolMaxBytes, spoolMaxAgeMs },
    sentry: {
      crawlerId,
      crawlerLocation,
      listenIp,
      port,
      dwellMs,
      forks,
      agent: agentOf(options),
      optOut: await readOptOut(options.optOut),
    },
  };
}

interface ListenPort {
  readonly port: number | undefined;
  readonly listenIp: string | undefined;
  readonly hasIp6: boolean;
}

/** @throws UsageError where discovery over IPv6 would have no port */
export function checkIp6Port({ port = 0, listenIp, hasIp6: listensOnIp6 }: ListenPort): void {
  if (listenIp !== undefined || !listensOnIp6 || port + IP6_PORT_DISTANCE <= MAX_PORT) return;
  throw new UsageError(
    `--port must be at most ${MAX_PORT - IP6_PORT_DISTANCE} on a host with IPv6, whose discovery is ${IP6_PORT_DISTANCE} ports above, not "${port}"; or give --listen-ip`,
  );
}

function storeSettings(options: Options, session: Of): StoreSettings {
  const { httpHost: host, httpPort: port = DEFAULT_HTTP_PORT, apiKeys, consumerName: durable } = options;
  const { keepAddressesMs: addressesMs, keepObservationsMs: observationsMs, keepEventsMs: eventsMs } = options;
  return {
    ...common(options, session),
    storing: {
      durable,
      rotateRows: options.parquetRows,
      rotateMs: options.parquetIntervalMs,
      keep: { addressesMs, observationsMs, eventsMs },
    },
    places: geoOptions(options),
    serving: { host, port, apiKeys },
  };
}
