/** What can be wrong with a node, and what a crawler should say of it. */

export interface FaultDescription {
  /** What the node does, in one line. */
  readonly does: string;
  /** Where in a visit it shows. */
  readonly stage: 'resolve' | 'dial' | 'security' | 'mux' | 'identify' | 'status' | 'metadata' | 'subscriptions';
  /** What a crawler should call it; the first is the best name, the others depend on timing and on the transport. */
  readonly causes: readonly [string, ...string[]];
  /** Whether a crawler can observe the node all the same, with what is missing named. */
  readonly observable: 'yes' | 'no' | 'maybe';
}

export const FAULTS = {
  'short-attnets': {
    does: 'its record has an `attnets` of 4 bytes',
    stage: 'resolve',
    causes: ['bad_response'],
    observable: 'yes',
  },
  'private-address': {
    does: 'its record has an address of a private network, where nobody listens',
    stage: 'resolve',
    causes: ['private_address'],
    observable: 'no',
  },
  'million-records': {
    does: 'answers each FINDNODE with signed records that nobody has seen before',
    stage: 'resolve',
    causes: ['resource_limited', 'bad_response'],
    observable: 'yes',
  },
  'refuses-dials': { does: 'nothing listens on its TCP port', stage: 'dial', causes: ['refused'], observable: 'no' },
  'reset-at-dial': {
    does: 'accepts TCP connections and resets them',
    stage: 'dial',
    causes: ['reset', 'eof'],
    observable: 'no',
  },
  silent: { does: 'accepts TCP connections and says nothing', stage: 'dial', causes: ['timeout'], observable: 'no' },
  'reset-at-security': {
    does: 'agrees on noise and resets the connection at its first message',
    stage: 'security',
    causes: ['reset', 'eof', 'noise_failed'],
    observable: 'no',
  },
  'wrong-peer-id': {
    does: 'has another key than its record',
    stage: 'security',
    causes: ['peer_id_mismatch'],
    observable: 'no',
  },
  'reset-at-mux': {
    does: 'ends the connection when noise is done and a muxer is to be agreed on',
    stage: 'mux',
    causes: ['mux_failed', 'reset', 'eof'],
    observable: 'no',
  },
  'reset-at-identify': {
    does: 'resets the streams of identify',
    stage: 'identify',
    causes: ['reset', 'eof'],
    observable: 'yes',
  },
  'too-many-peers': {
    does: 'says Goodbye 129 as soon as it knows who has dialled',
    stage: 'status',
    causes: ['too_many_peers'],
    observable: 'maybe',
  },
  'wrong-fork': {
    does: 'its record is of this network, its Status and its topics are of another',
    stage: 'status',
    causes: ['wrong_fork'],
    observable: 'no',
  },
  'reset-at-status': {
    does: 'resets the streams of Status',
    stage: 'status',
    causes: ['reset', 'eof'],
    observable: 'yes',
  },
  'never-answers': {
    does: 'takes requests and answers none',
    stage: 'status',
    causes: ['timeout'],
    observable: 'yes',
  },
  'one-byte-a-second': {
    does: 'sends its Status a byte a second',
    stage: 'status',
    causes: ['timeout'],
    observable: 'yes',
  },
  'endless-response': {
    does: 'pads its Status with frames to be skipped, without end',
    stage: 'status',
    causes: ['bad_response', 'timeout'],
    observable: 'yes',
  },
  'head-slot-overflow': {
    does: 'its Status has a head slot of 2^64-1',
    stage: 'status',
    causes: ['bad_response', 'irrelevant_network'],
    observable: 'maybe',
  },
  'reset-at-metadata': {
    does: 'resets the streams of MetaData',
    stage: 'metadata',
    causes: ['reset', 'eof'],
    observable: 'yes',
  },
  'metadata-one-gigabyte': {
    does: 'announces a MetaData of 1 GB',
    stage: 'metadata',
    causes: ['bad_response'],
    observable: 'yes',
  },
  'snappy-bomb': {
    does: 'announces a MetaData of 25 bytes and sends 64 MB in 3',
    stage: 'metadata',
    causes: ['bad_response'],
    observable: 'yes',
  },
  'wrong-checksum': {
    does: 'sends a MetaData whose checksum is that of another',
    stage: 'metadata',
    causes: ['bad_response'],
    observable: 'yes',
  },
  'reset-at-subscriptions': {
    does: 'resets the streams of gossip and opens none',
    stage: 'subscriptions',
    causes: ['reset', 'timeout', 'eof'],
    observable: 'yes',
  },
  'topic-without-number': {
    does: 'is subscribed to `beacon_attestation_` and the like',
    stage: 'subscriptions',
    causes: ['bad_response'],
    observable: 'yes',
  },
  'subnet-out-of-range': {
    does: 'is subscribed to attestation subnet 99999 and others that do not exist',
    stage: 'subscriptions',
    causes: ['bad_response'],
    observable: 'yes',
  },
  'unknown-digest': {
    does: 'is subscribed to its subnets under a digest that no fork has',
    stage: 'subscriptions',
    causes: ['wrong_fork'],
    observable: 'yes',
  },
  'ten-thousand-subscriptions': {
    does: 'is subscribed to 10,000 topics of its own besides',
    stage: 'subscriptions',
    causes: ['bad_response', 'resource_limited'],
    observable: 'maybe',
  },
} as const satisfies Readonly<Record<string, FaultDescription>>;

export type Fault = keyof typeof FAULTS;
export type Behaviour = 'honest' | Fault;

export const FAULT_NAMES = Object.keys(FAULTS) as readonly Fault[];
