import type { GossipSub } from '@chainsafe/libp2p-gossipsub';
import { RPC } from '@chainsafe/libp2p-gossipsub/message';
import { generateKeyPair } from '@libp2p/crypto/keys';
import { type ComponentLogger, type Logger as Libp2pLogger, TypedEventEmitter } from '@libp2p/interface';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import fc from 'fast-check';
import { take } from 'rxjs';
import { parseTopic } from '../../src/consensus/subnets.ts';
import { listeningGossip } from '../../src/io/network/libp2p/gossip.ts';
import { createSubscriptionBook } from '../../src/io/network/libp2p/subscription-book.ts';
import type { SubscriptionRpc } from '../../src/streams/ports/peer-link.ts';
import { bytesLike, type FuzzTarget, inWords, promise } from './target.ts';

/** Topics, and gossip RPCs on their way through gossipsub into the subscription book. */

const ours = (name: string) => `/eth2/8c9f62fe/${name}/ssz_snappy`;
const TOPICS = [
  ...['beacon_block', 'beacon_attestation_7', 'beacon_attestation_64', 'sync_committee_3'].map(ours),
  ...['data_column_sidecar_127', 'beacon_attestation_', 'beacon_attestation_-1', 'beacon_attestation_007'].map(ours),
  '/eth2/deadbeef/beacon_attestation_63/ssz_snappy',
  '/eth2//beacon_attestation_63/ssz',
];
const COUNTS = { attestation: 64, sync: 4, 'data-column': 128 } as const;
const NAMES = {
  attestation: 'beacon_attestation',
  sync: 'sync_committee',
  'data-column': 'data_column_sidecar',
} as const;

const topics: FuzzTarget = {
  name: 'gossip-topics',
  input: bytesLike(TOPICS.map((topic) => new Uint8Array(Buffer.from(topic)))),
  check: (input) => {
    const text = Buffer.from(input).toString('utf8');
    const topic = parseTopic(text);
    if (topic === null) return 'no topic';
    if (topic.kind === 'other') return 'other';
    const { kind, digest, subnet } = topic;
    promise(subnet >= 0 && subnet < COUNTS[kind], `${kind} subnet ${subnet}`);
    promise(text === `/eth2/${digest}/${NAMES[kind]}_${subnet}/ssz_snappy`, 'one text, one topic');
    return kind;
  },
};

const MAX_RPCS = 256;
const MAX_CHANGES = 4_096;
const MAX_TOPIC_LENGTH = 128;
const PEER = peerIdFromPrivateKey(await generateKeyPair('secp256k1'));

const silent: Libp2pLogger = Object.assign(() => undefined, {
  enabled: false,
  trace: () => undefined,
  error: () => undefined,
  newScope: () => silent,
});
const components = {
  peerId: PEER,
  privateKey: await generateKeyPair('secp256k1'),
  peerStore: {},
  registrar: {},
  connectionManager: { getConnections: () => [] },
  events: new TypedEventEmitter(),
  logger: { forComponent: () => silent } satisfies ComponentLogger,
};

function subscribing(count: number): Uint8Array {
  const subscriptions = Array.from({ length: count }, (_, index) => ({
    subscribe: index % 3 > 0,
    topic: `${TOPICS[index % TOPICS.length]}${index > 20 ? index : ''}`,
  }));
  return RPC.encode({ subscriptions, messages: [] });
}

const controlling = RPC.encode({
  subscriptions: [{ subscribe: true, topic: 'x'.repeat(300) }, { subscribe: true }, { topic: 'without a verb' }],
  messages: [{ topic: TOPICS[0] ?? '', data: new Uint8Array(8), from: PEER.toMultihash().bytes }],
  control: {
    ihave: [{ topicID: TOPICS[0] ?? '', messageIDs: [new Uint8Array(20)] }],
    iwant: [{ messageIDs: [new Uint8Array(20)] }],
    graft: [{ topicID: TOPICS[1] ?? '' }],
    prune: [{ topicID: TOPICS[1] ?? '', peers: [{ peerID: PEER.toMultihash().bytes }], backoff: 60 }],
    idontwant: [{ messageIDs: [new Uint8Array(20)] }],
  },
});

/** A gossipsub as the crawler runs it, with nobody connected: only what it makes of one peer's stream is looked at. */
const gossip = listeningGossip()(
  components as unknown as Parameters<ReturnType<typeof listeningGossip>>[0],
) as GossipSub;

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

const rpcs: FuzzTarget = {
  name: 'gossip-rpc',
  input: fc.oneof(
    { weight: 20, arbitrary: bytesLike([subscribing(3), subscribing(70), controlling]) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 6_000 }).map(subscribing) },
  ),
  check: async (input) => {
    const book = createSubscriptionBook(() => 0);
    const peerId = PEER.toString();
    book.open(peerId);
    let said = 0;
    const hear: Parameters<typeof gossip.addEventListener<'subscription-change'>>[1] = (event) => {
      if (!('detail' in event)) return;
      said += event.detail.subscriptions.length;
      book.heard(event.detail.peerId.toString(), event.detail.subscriptions);
    };
    gossip.addEventListener('subscription-change', hear);
    try {
      const stream = { source: once(input), sink: async () => undefined };
      await gossip['pipePeerReadStream'](PEER, stream as unknown as Parameters<GossipSub['pipePeerReadStream']>[1]);
    } finally {
      gossip.removeEventListener('subscription-change', hear);
      gossip['topics'].clear();
    }
    const heard: SubscriptionRpc[] = [];
    book
      .of(peerId)
      .pipe(take(MAX_RPCS))
      .subscribe((rpc) => heard.push(rpc))
      .unsubscribe();
    const changes = heard.flatMap((rpc) => rpc.changes);
    const dropped = heard.reduce((sum, rpc) => sum + (rpc.dropped ?? 0), 0);
    promise(changes.length <= MAX_CHANGES, `${changes.length} changes kept`);
    promise(
      changes.every(({ topic }) => topic.length <= MAX_TOPIC_LENGTH),
      'topics kept are short',
    );
    promise(changes.length + dropped === said, 'what is not kept is counted');
    for (const { topic } of changes) parseTopic(topic);
    const kinds = new Set(
      changes.map(({ topic, subscribe }) => `${subscribe} ${parseTopic(topic)?.kind ?? 'no topic'}`),
    );
    return inWords(`${[...kinds].sort().join() || 'nothing'}${dropped > 0 ? ', some dropped' : ''}`);
  },
};

export const GOSSIP_TARGETS: readonly FuzzTarget[] = [topics, rpcs];
