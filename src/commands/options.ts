import { hostname } from 'node:os';
import type { ForkSource } from '../consensus/forks/learning.ts';
import type { ExportFormat } from '../io/export/formats.ts';
import type { GeoSource } from '../io/geo/sources.ts';
import type { LogFormat, LogLevel } from '../io/logging/logger.ts';
import { OPTIONS, type OptionName, type OptionSpec } from './option-table.ts';
import { secret } from './values.ts';

/** What a command gets: read values under their names in camel case; `undefined` where there is no default. */
export interface Options {
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  readonly natsUrl: string | undefined;
  readonly network: string;
  readonly dataDir: string;
  readonly httpHost: string;
  readonly httpPort: number | undefined;
  readonly apiKeys: string;
  readonly activeValidators: number | undefined;
  readonly nodes: number;
  readonly seed: number;
  readonly slotMs: number;
  readonly dir: string | undefined;
  readonly consumerName: string;
  readonly parquetRows: number;
  readonly parquetIntervalMs: number;
  readonly natsReplicas: number;
  /** Infinite for ever, as the two below. */
  readonly keepAddressesMs: number;
  readonly keepObservationsMs: number;
  readonly keepEventsMs: number;
  readonly spoolMaxBytes: number;
  readonly spoolMaxAgeMs: number;
  readonly crawlerId: string;
  readonly crawlerLocation: string;
  readonly listenIp: string | undefined;
  readonly port: number | undefined;
  readonly forMs: number | undefined;
  readonly faults: boolean | undefined;
  readonly forkAt: number | undefined;
  readonly blobForkAt: number | undefined;
  readonly dwellMs: number | undefined;
  readonly contact: string | undefined;
  readonly optOut: string | undefined;
  readonly forks: ForkSource;
  readonly allowPrivate: boolean;
  readonly json: boolean;
  /** Empty for none; `undefined` for what fits the network and the options below. */
  readonly geo: readonly GeoSource[] | undefined;
  readonly mmdb: readonly string[] | undefined;
  readonly ipinfoToken: string | undefined;
  readonly ipMetadata: string | undefined;
  readonly format: ExportFormat | undefined;
  readonly out: string | undefined;
  readonly public: boolean;
}

/** Texts by option name without the dashes, and what a user calls such an option there. */
export interface OptionSource {
  readonly texts: Readonly<Record<string, unknown>>;
  labelOf(name: string): string;
}

export function commandLineSource(texts: Readonly<Record<string, unknown>>): OptionSource {
  return { texts, labelOf: (name) => `--${name}` };
}

/** The options that the environment sets: `--nats-url` is `VALTRACK_NATS_URL`. */
export function environmentSource(environment: Readonly<Record<string, string | undefined>>): OptionSource {
  const labelOf = (name: string) => `VALTRACK_${name.toUpperCase().replaceAll('-', '_')}`;
  const names = [...Object.keys(OPTIONS), 'config'];
  return { texts: Object.fromEntries(names.map((name) => [name, environment[labelOf(name)]])), labelOf };
}

/** Reads the values, each from the first of the sources that has it. @throws UsageError */
export function readOptions(...sources: readonly OptionSource[]): Options {
  function read<T>(name: OptionName, { read: reader, default: fallback }: OptionSpec<T>): T | undefined {
    const source = sources.find(({ texts }) => texts[name] !== undefined && texts[name] !== null);
    if (source !== undefined) return reader(source.labelOf(name), String(source.texts[name]));
    return fallback === undefined ? undefined : reader(`--${name}`, fallback);
  }
  function required<T>(name: OptionName, option: OptionSpec<T>): T {
    const value = read(name, option);
    if (value === undefined) throw new Error(`option ${name} has no default`);
    return value;
  }
  return {
    logLevel: required('log-level', OPTIONS['log-level']),
    logFormat: read('log-format', OPTIONS['log-format']) ?? (process.stderr.isTTY ? 'pretty' : 'json'),
    natsUrl: read('nats-url', OPTIONS['nats-url']),
    network: required('network', OPTIONS.network),
    dataDir: required('data-dir', OPTIONS['data-dir']),
    httpHost: required('http-host', OPTIONS['http-host']),
    httpPort: read('http-port', OPTIONS['http-port']),
    apiKeys: required('api-keys', OPTIONS['api-keys']),
    activeValidators: read('active-validators', OPTIONS['active-validators']),
    nodes: required('nodes', OPTIONS.nodes),
    seed: required('seed', OPTIONS.seed),
    slotMs: required('slot-ms', OPTIONS['slot-ms']),
    dir: read('dir', OPTIONS.dir),
    consumerName: required('consumer-name', OPTIONS['consumer-name']),
    parquetRows: required('parquet-rows', OPTIONS['parquet-rows']),
    parquetIntervalMs: required('parquet-interval', OPTIONS['parquet-interval']),
    keepAddressesMs: required('keep-addresses', OPTIONS['keep-addresses']),
    keepObservationsMs: required('keep-observations', OPTIONS['keep-observations']),
    keepEventsMs: required('keep-events', OPTIONS['keep-events']),
    natsReplicas: required('nats-replicas', OPTIONS['nats-replicas']),
    spoolMaxBytes: required('spool-max-bytes', OPTIONS['spool-max-bytes']),
    spoolMaxAgeMs: required('spool-max-age', OPTIONS['spool-max-age']),
    crawlerId: read('crawler-id', OPTIONS['crawler-id']) ?? hostname(),
    crawlerLocation: required('crawler-location', OPTIONS['crawler-location']),
    listenIp: read('listen-ip', OPTIONS['listen-ip']),
    port: read('port', OPTIONS.port),
    forMs: read('for', OPTIONS.for),
    faults: read('faults', OPTIONS.faults),
    forkAt: read('fork-at', OPTIONS['fork-at']),
    blobForkAt: read('blob-fork-at', OPTIONS['blob-fork-at']),
    dwellMs: read('dwell', OPTIONS.dwell),
    contact: read('contact', OPTIONS.contact),
    optOut: read('opt-out', OPTIONS['opt-out']),
    forks: required('forks', OPTIONS.forks),
    allowPrivate: required('allow-private', OPTIONS['allow-private']),
    json: read('json', OPTIONS.json) ?? false,
    geo: read('geo', OPTIONS.geo),
    mmdb: read('mmdb', OPTIONS.mmdb),
    ipinfoToken: read('ipinfo-token', OPTIONS['ipinfo-token']) ?? usualToken(),
    ipMetadata: read('ip-metadata', OPTIONS['ip-metadata']),
    format: read('format', OPTIONS.format),
    out: read('out', OPTIONS.out),
    public: read('public', OPTIONS.public) ?? false,
  };
}

/** Where IPinfo's own tools look for it; empty counts as not set. */
function usualToken(): string | undefined {
  const token = process.env['IPINFO_TOKEN'] ?? '';
  return token.trim() === '' ? undefined : secret('IPINFO_TOKEN', token);
}
