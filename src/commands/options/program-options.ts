import { LOG_FORMATS, LOG_LEVELS, type LogFormat, type LogLevel } from '../../io/logging/logger.ts';
import { integer, oneOf, text, url } from '../values.ts';
import { DEFAULT_HTTP_PORT, DEFAULT_NATS_URL, spec, WITH_DATA, WITH_NATS } from './option-spec.ts';

/** What concerns the program as a whole: its log, its network, its folder, its server. */
export const PROGRAM_OPTIONS = {
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
} as const;
