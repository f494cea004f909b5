import { FORK_SOURCES, type ForkSource } from '../../consensus/forks/learning.ts';
import { durationMs, ipAddress, listenPort, oneOf, text, yesOrNo } from '../values.ts';
import { CRAWLING, spec } from './option-spec.ts';

/** How the crawler shows itself, and whom it visits. */
export const CRAWL_OPTIONS = {
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
    read: listenPort,
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
  forks: spec<ForkSource>({
    describe:
      'What to do about forks that nodes announce and the configuration of the network does not know: learnt follows them, configured only tells of them',
    default: 'learnt',
    read: oneOf(FORK_SOURCES),
    commands: CRAWLING,
  }),
  'allow-private': spec<boolean>({
    describe:
      'Dial private addresses too: true or false; only with a network from a config.yaml, wrong use with any other',
    default: 'false',
    read: yesOrNo,
    commands: ['run', 'sentry', 'probe'],
  }),
} as const;
