import { durationMs, integer, keptMs, name, oneOf, sizeBytes } from '../values.ts';
import { CRAWLING, STORING, spec, WITH_NATS } from './option-spec.ts';

/** How events are kept, and for how long. */
export const STORE_OPTIONS = {
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
} as const;
