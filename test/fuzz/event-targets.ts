import { isDeepStrictEqual } from 'node:util';
import { decodeEvent, encodeEvent, METADATA_RECEIVED, PEER_DISCOVERED } from '../../src/consensus/events.ts';
import { parsePeerAddress } from '../../src/consensus/peer-address.ts';
import { bytesLike, type FuzzTarget, inWords, promise } from './target.ts';

/** Events as they lie in the log, and as others may put them there. */

const text = (value: unknown) => new Uint8Array(Buffer.from(JSON.stringify(value)));

const DISCOVERED = {
  enr: 'enr:-abc',
  id: '16Uiu2HAm1',
  ip: '127.0.0.1',
  port: 9000,
  crawler_id: 'a',
  crawler_location: 'b',
  timestamp: 1_700_000_000_000,
};
const OBSERVED = {
  enr: 'enr:',
  id: '16Uiu2HAm1',
  multiaddr: '/ip4/127.0.0.1/tcp/9000',
  epoch: 10,
  metadata: { seq_number: 3, attnets: 'AwAAAAAAAAA=', syncnets: 'AQ==' },
  subscribed_subnets: [0, 1, 1, 63],
  client_version: 'Lighthouse/v8.0.0\u0000\ud800',
  crawler_id: 'a',
  crawler_location: 'b',
  timestamp: 1_700_000_000_000,
};
const OURS = {
  ...OBSERVED,
  event_id: 'x:1',
  slot: 320,
  observed_from: 1_700_000_000_000,
  observed_to: 1_700_000_000_100,
  fork_digest: '8c9f62fe',
  custody_group_count: 4,
  direction: 'inbound',
  transport: 'quic',
  subscribed_syncnets: [1],
  data_column_topics: 8,
  missing: ['status'],
};
const ODD = [
  { ...OBSERVED, metadata: null, subscribed_subnets: null },
  { ...OBSERVED, metadata: { seq_number: -1, attnets: '0x0300000000000000', syncnets: '01' } },
  { ...OBSERVED, subscribed_subnets: [-1, 64, 1e308] },
];

function reading(name: string, subject: string, seeds: readonly unknown[]): FuzzTarget {
  return {
    name,
    input: bytesLike(seeds.map(text)),
    check: (input) => {
      const decoded = decodeEvent(subject, input);
      if (!decoded.ok) {
        promise(!decoded.reason.includes('\n'), 'a reason is one line');
        return inWords(decoded.reason);
      }
      const { event } = decoded.value;
      if ('multiaddr' in event) {
        promise(
          (event.subscribed_subnets ?? []).every((subnet) => subnet >= 0 && subnet < 64),
          'subnets are within 0..63',
        );
        parsePeerAddress(event.multiaddr);
      }
      const again = decodeEvent(subject, encodeEvent(decoded.value));
      promise(again.ok && isDeepStrictEqual(again.value, decoded.value), 'an event is read as it was written');
      return 'read';
    },
  };
}

export const EVENT_TARGETS: readonly FuzzTarget[] = [
  reading('peer-discovered', PEER_DISCOVERED, [DISCOVERED]),
  reading('metadata-received', METADATA_RECEIVED, [OBSERVED, OURS, ...ODD]),
];
