import { EXPORT_FORMATS, type ExportFormat } from '../io/export/formats.ts';
import { GEO_SOURCES, type GeoSource } from '../io/geo/sources.ts';
import { LOG_FORMATS, LOG_LEVELS, type LogFormat, type LogLevel } from '../io/logging/logger.ts';
import {
  durationMs,
  integer,
  ipAddress,
  keptMs,
  listOf,
  name,
  oneOf,
  type Reader,
  secret,
  sizeBytes,
  text,
  texts,
  url,
  yesOrNo,
} from './values.ts';

export const COMMANDS = ['run', 'sentry', 'consumer', 'devnet', 'probe', 'replay', 'export', 'enr'] as const;
export type Command = (typeof COMMANDS)[number];

export interface OptionSpec<T> {
  readonly alias?: string;
  readonly describe: string;
  /** Shown in the help when the default depends on something. */
  readonly defaultText?: string;
  readonly default?: string;
  readonly read: Reader<T>;
  /** Given without a value; its text is then `true`. */
  readonly isSwitch?: boolean;
  /** The commands that have the option; absent for all of them. */
  readonly commands?: readonly Command[];
}

function spec<T>(option: OptionSpec<T>): OptionSpec<T> {
  return option;
}

/** Where `sentry` and `consumer` look for NATS when nobody says. */
export const DEFAULT_NATS_URL = 'nats://localhost:4222';
/** Where `run` and `consumer` serve then; a sentry beside a consumer must not take it away. */
export const DEFAULT_HTTP_PORT = 8080;

const CRAWLING: readonly Command[] = ['run', 'sentry'];
const STORING: readonly Command[] = ['run', 'consumer'];
const WITH_NATS: readonly Command[] = ['run', 'sentry', 'consumer', 'replay'];
const WITH_DEVNET: readonly Command[] = ['run', 'sentry', 'devnet'];
const WITH_DATA: readonly Command[] = ['run', 'sentry', 'consumer', 'replay', 'export'];

/** Every option of every command: what yargs shows, and how the value is read. */
export const OPTIONS = {
  'log-level': spec<LogLevel>({
    alias: 'l',
    describe: `Log level: ${LOG_LEVELS.join(', ')}`,
    default: 'info',
    read: oneOf(LOG_LEVELS),
  }),
  'log-format': spec<LogFormat>({
    describe: 'Log format: pretty for people, json with one object a line',
    defaultText: 'pretty on a terminal, else json',
    read: oneOf(LOG_FORMATS),
  }),
  'nats-url': spec<string>({
    alias: 'n',
    describe: 'NATS server(s) with JetStream, several with commas between them',
    defaultText: `sentry, consumer: ${DEFAULT_NATS_URL}; run, replay: none`,
    read: url('nats', 'tls', 'ws', 'wss'),
    commands: WITH_NATS,
  }),
  network: spec<string>({
    describe:
      'mainnet, sepolia, hoodi, gnosis, chiado, ephemery, devnet, ' +
      "a consensus config.yaml (path or address), or a devnet's network.json",
    default: 'mainnet',
    read: text,
    commands: ['run', 'sentry', 'consumer', 'probe'],
  }),
  'data-dir': spec<string>({
    describe: 'Folder for everything that is kept',
    default: './data',
    read: text,
    commands: WITH_DATA,
  }),
  'http-host': spec<string>({
    describe: 'Address the HTTP API listens on',
    default: '127.0.0.1',
    read: text,
    commands: ['run', 'sentry', 'consumer'],
  }),
  'http-port': spec<number>({
    describe: 'Port of the HTTP API; 0 picks a free one and logs it. A sentry has only /healthz, /readyz and /metrics',
    defaultText: `run, consumer: ${DEFAULT_HTTP_PORT}; sentry: none`,
    read: integer(0, 65_535),
    commands: ['run', 'sentry', 'consumer'],
  }),
  'api-keys': spec<string>({
    describe: 'File with the API keys, one a line; read again when it changes',
    default: 'api_keys.txt',
    read: text,
    commands: STORING,
  }),
  geo: spec<readonly GeoSource[]>({
    describe: `Sources of locations, asked in the order given, with commas between them: ${GEO_SOURCES.join(', ')}; or none`,
    defaultText: 'on a devnet devnet, else what is given below and then embedded',
    read: listOf(GEO_SOURCES),
    commands: STORING,
  }),
  mmdb: spec<readonly string[]>({
    describe: 'Geolocation databases in the MMDB format, with commas between them; read again when they change',
    defaultText: 'none',
    read: texts,
    commands: STORING,
  }),
  'ipinfo-token': spec<string>({
    describe: 'Token for the API of IPinfo',
    defaultText: 'IPINFO_TOKEN of the environment',
    read: secret,
    commands: STORING,
  }),
  'ip-metadata': spec<string>({
    describe: 'CSV file of locations in the form of chainbound/valtrack',
    defaultText: 'none',
    read: text,
    commands: STORING,
  }),
  'active-validators': spec<number>({
    describe: 'Number of active validators, for the estimators',
    defaultText: "the network's",
    read: integer(1),
    commands: ['run', 'sentry', 'consumer', 'devnet'],
  }),
  nodes: spec<number>({
    describe: 'Nodes of the devnet',
    default: '50',
    read: integer(1, 10_000),
    commands: WITH_DEVNET,
  }),
  seed: spec<number>({
    describe: 'Seed of the devnet: same seed, same truth',
    default: '1',
    read: integer(0),
    commands: WITH_DEVNET,
  }),
  'slot-ms': spec<number>({
    describe: 'Length of a slot of the devnet in milliseconds',
    default: '250',
    read: integer(50, 60_000),
    commands: WITH_DEVNET,
  }),
  dir: spec<string>({
    describe: 'Folder for the network.json of the devnet',
    defaultText: 'a temporary folder',
    read: text,
    commands: WITH_DEVNET,
  }),
  faults: spec<boolean>({
    describe: 'Every kind of client, reach and fault in the devnet: true or false',
    defaultText: 'from 100 nodes on',
    read: yesOrNo,
    commands: WITH_DEVNET,
  }),
  'fork-at': spec<number>({
    describe: 'Epoch of a regular fork of the devnet, which begins in epoch 10',
    defaultText: 'none',
    read: integer(11),
    commands: WITH_DEVNET,
  }),
  'blob-fork-at': spec<number>({
    describe: 'Epoch of a blob-parameter-only fork of the devnet',
    defaultText: 'none',
    read: integer(11),
    commands: WITH_DEVNET,
  }),
  'consumer-name': spec<string>({
    describe: 'Name of the durable consumer',
    default: 'consumer-valtrack',
    read: name,
    commands: WITH_NATS,
  }),
  'parquet-rows': spec<number>({
    describe: 'Rows of a full Parquet file',
    default: '50000',
    read: integer(100, 10_000_000),
    commands: STORING,
  }),
  'parquet-interval': spec<number>({
    describe: 'The longest an event waits to be in a Parquet file, such as 5m',
    default: '5m',
    read: durationMs,
    commands: STORING,
  }),
  'keep-addresses': spec<number>({
    describe: 'How long records, addresses and exact places of nodes are kept, such as 90d; forever or 0 for no limit',
    default: '90d',
    read: keptMs,
    commands: STORING,
  }),
  'keep-observations': spec<number>({
    describe: 'How long rows of Parquet files are kept, such as 365d; forever or 0 for no limit',
    default: 'forever',
    read: keptMs,
    commands: STORING,
  }),
  'keep-events': spec<number>({
    describe: 'How long malformed events, and ids of events that are not numbered, are kept; forever or 0 for no limit',
    default: '30d',
    read: keptMs,
    commands: STORING,
  }),
  'nats-replicas': spec<number>({
    describe: 'On how many servers of a NATS cluster the stream is stored when it is made: 1, 3 or 5',
    default: '1',
    read: (label, value) => Number(oneOf(['1', '3', '5'])(label, value)),
    commands: WITH_NATS,
  }),
  'spool-max-bytes': spec<number>({
    describe: 'How many bytes of events may wait on disk, such as 2GiB; then the crawl pauses',
    default: '4GiB',
    read: sizeBytes,
    commands: CRAWLING,
  }),
  'spool-max-age': spec<number>({
    describe: 'How long an event may wait on disk, such as 12h; then the crawl pauses',
    default: '7d',
    read: durationMs,
    commands: CRAWLING,
  }),
  'crawler-id': spec<string>({
    describe: 'Name of this crawler in its events',
    defaultText: 'the host name',
    read: text,
    commands: CRAWLING,
  }),
  'crawler-location': spec<string>({
    describe: 'Place of this crawler in its events',
    default: 'unknown',
    read: text,
    commands: CRAWLING,
  }),
  'listen-ip': spec<string>({
    describe: 'Address discv5 and libp2p listen on',
    defaultText: '0.0.0.0, and :: where there is IPv6; on a devnet 127.0.0.1',
    read: ipAddress,
    commands: CRAWLING,
  }),
  port: spec<number>({
    describe: 'UDP and TCP port discv5 and libp2p listen on; 0 picks free ones',
    defaultText: '9000; on a devnet 0',
    read: integer(0, 65_535),
    commands: CRAWLING,
  }),
  dwell: spec<number>({
    describe: 'How long the gossip subscriptions of a peer are watched at most, such as 4s',
    defaultText: 'a third of a slot, at most 4s',
    read: durationMs,
    commands: ['run', 'sentry', 'probe'],
  }),
  contact: spec<string>({
    describe: 'An address where operators reach you; peers see it in our agent string',
    defaultText: 'none',
    read: text,
    commands: ['run', 'sentry', 'probe'],
  }),
  'opt-out': spec<string>({
    describe: 'File with peer ids, node ids, addresses and networks that are never contacted, one a line',
    defaultText: 'none',
    read: text,
    commands: CRAWLING,
  }),
  'allow-private': spec<boolean>({
    describe:
      'Dial private addresses too: true or false; only with a network from a config.yaml, wrong use with any other',
    default: 'false',
    read: yesOrNo,
    commands: ['run', 'sentry', 'probe'],
  }),
  json: spec<boolean>({
    describe: 'One JSON object in place of a page for people',
    defaultText: 'false; probe prints the page on a terminal only',
    read: yesOrNo,
    isSwitch: true,
    commands: ['probe', 'enr'],
  }),
  format: spec<ExportFormat>({
    describe: `How the view is written: ${EXPORT_FORMATS.join(', ')}`,
    defaultText: 'what the name of --out ends in, else csv',
    read: oneOf(EXPORT_FORMATS),
    commands: ['export'],
  }),
  out: spec<string>({
    describe: 'File that is written or replaced',
    defaultText: 'standard output',
    read: text,
    commands: ['export'],
  }),
  public: spec<boolean>({
    describe: 'What anyone may know: no addresses, pseudonyms in place of peer ids',
    defaultText: 'false',
    read: yesOrNo,
    isSwitch: true,
    commands: ['export'],
  }),
  for: spec<number>({
    describe: 'Stop after crawling this long, such as 90s or 2h, as SIGTERM would',
    defaultText: 'never',
    read: durationMs,
    commands: CRAWLING,
  }),
} as const;

export type OptionName = keyof typeof OPTIONS;
