/** What a client makes of its peers, as state machines that know neither sockets nor clocks. One file a client beside this. */

/** The methods that clients book differently; `blocks` are those that only a node with blocks can answer. */
export type Asked = 'status' | 'metadata' | 'ping' | 'goodbye' | 'blocks';

/** How a request that a node has made has ended, as its multistream and its muxer tell. */
export type RequestEnd =
  | { readonly how: 'answered' }
  /** The peer said `na` to every version. */
  | { readonly how: 'not-spoken' }
  /** The peer closed its side of the stream before a protocol was agreed on. */
  | { readonly how: 'fin-in-negotiation' }
  | { readonly how: 'reset-in-negotiation' }
  | { readonly how: 'negotiation-timeout' }
  /** The peer closed its side without a byte of an answer. */
  | { readonly how: 'empty' }
  /** The peer closed its side within an answer. */
  | { readonly how: 'incomplete' }
  | { readonly how: 'reset' }
  | { readonly how: 'timeout' }
  | { readonly how: 'malformed' }
  /** The peer answered with a result code other than success. */
  | { readonly how: 'refused'; readonly code: number }
  /** The connection ended first, whoever ended it; `negotiated` tells whether the protocol was agreed on by then. */
  | { readonly how: 'disconnected'; readonly negotiated: boolean };

/** Something that a peer has done. */
export type Sighting =
  | { readonly type: 'own-request'; readonly asked: Asked; readonly end: RequestEnd }
  /** It asks us, and may be refused. */
  | { readonly type: 'request'; readonly asked: Asked; readonly connectionId: string }
  /** A request of its own that could not be read to its end. */
  | { readonly type: 'cut-request'; readonly asked: Asked }
  | { readonly type: 'goodbye'; readonly reason: number }
  /** Its Status is not of our chain; `reason` is that of the Goodbye that the client says. */
  | { readonly type: 'irrelevant'; readonly reason: number }
  /** It dialled us and has not sent a Status in time. */
  | { readonly type: 'no-status' }
  | { readonly type: 'dial-failed' }
  | { readonly type: 'dial-succeeded' }
  /** Its last connection is gone; `said` is the reason of the Goodbye that we said on it, if we did. */
  | { readonly type: 'disconnected'; readonly direction: 'inbound' | 'outbound'; readonly said: number | null };

/** What a client does about a sighting. Without any field: nothing. */
export interface Verdict {
  /** How the penalty is called in the devnet's truth, and what it costs, in the client's own points. */
  readonly event?: string;
  readonly points?: number;
  /** End all connections with the peer: with a Goodbye of this reason, or without one. */
  readonly leave?: { readonly goodbye: number | null };
  /** Answer with this result code and nothing else. */
  readonly refuse?: number;
}

export const NOTHING: Verdict = {};

/** What a node sees of a connected peer at a heartbeat. */
export interface Standing {
  readonly direction: 'inbound' | 'outbound';
  /** Whether MetaData names an attestation or sync subnet. */
  readonly hasLongLivedSubnets: boolean;
  /** Whether the node has as many peers as it wants, or more. */
  readonly atTarget: boolean;
}

export interface Rules {
  see(peerId: string, sighting: Sighting, nowMs: number): Verdict;
  /** As the client counts: from 0 down at most, but for Prysm (bad responses, up) and Nimbus (from 300 down). */
  score(peerId: string, nowMs: number): number;
  /** Whether the client has nothing to do with the peer for a while. */
  isBanned(peerId: string, nowMs: number): boolean;
  /** What becomes of a connection once it is secured; `null` where it stays. */
  receive(peerId: string, nowMs: number): Reception | null;
  mayDial(peerId: string, nowMs: number): boolean;
  /** What the client does about a connected peer every `pace.heartbeatMs`. */
  review(peerId: string, standing: Standing, nowMs: number): Verdict;
  readonly pace: Pace;
}

/** `end`: the connection is ended after noise and before a muxer, without a word. */
export type Reception = { readonly type: 'end' } | { readonly type: 'leave'; readonly goodbye: number | null };

/** When a client does what, in real milliseconds: its seconds are what a crawler's manners have to do with. */
export interface Pace {
  readonly heartbeatMs: number;
  /** How often it looks for somebody to dial while it wants peers. */
  readonly dialMs: number;
  /** Whether it dials whom it hears of at once, and not only at the next look. */
  readonly dialsAtOnce: boolean;
  /** What it asks a peer that it has dialled: `together` or one after another. */
  readonly introduction: { readonly asks: readonly Exclude<Asked, 'blocks' | 'goodbye'>[]; readonly together: boolean };
  /** Between the opening of a connection and the first request on it, at most: the way through the client's own queues. */
  readonly introductionDelayMs: number;
  /** How often a request whose stream is reset before a protocol is agreed on is made again. */
  readonly retriesOnReset: number;
  /** Whether it hangs up when a peer says Goodbye. */
  readonly hangsUpOnGoodbye: boolean;
  /** Connections with one peer that it has at a time; a further one is ended after noise. */
  readonly connectionsPerPeer: number;
  /** With so many banned peers of one address the address is refused before noise; `null` for clients that do not count. */
  readonly bannedPeersPerAddress: number | null;
  /** Connections of one address that are accepted within a time; further ones are ended before noise. */
  readonly dialsPerAddress: { readonly requests: number; readonly perMs: number } | null;
  /** What it does with a newcomer when it has no room. */
  readonly whenFull: 'end-before-noise' | 'end-after-noise' | 'goodbye-129' | 'end' | 'prune-later';
  /** Whether it asks peers for blocks that their Status tells of. */
  readonly asksForBlocks: boolean;
  /** How often gossip opens a stream again to a peer that has just closed, which dials it: share, and within how long. */
  readonly gossipRedial: { readonly share: number; readonly withinMs: number } | null;
  /** How often it sees streams reset, and not only the connection end, when a peer ends the connection abruptly. */
  readonly seesResetsAtEnd: number;
  /** How often it sees an answer end, and not only the connection, when a peer closes the connection while it answers. */
  readonly seesAnswersEndAtEnd: number;
  /** How long a busy node takes to read a request. What a QUIC connection that ends before that held is lost. */
  readonly quicReadDelayMs: number;
}

/** What all clients do but those that say otherwise. */
export const USUAL_PACE = {
  dialsAtOnce: false,
  introductionDelayMs: 2,
  retriesOnReset: 0,
  hangsUpOnGoodbye: true,
  connectionsPerPeer: Number.POSITIVE_INFINITY,
  bannedPeersPerAddress: null,
  dialsPerAddress: null,
  asksForBlocks: false,
  gossipRedial: null,
  seesResetsAtEnd: 0,
  seesAnswersEndAtEnd: 1,
  quicReadDelayMs: 0,
} as const satisfies Partial<Pace>;

/** How much faster than in the world a client's clocks run, so that its rules bite within a short devnet. */
export interface RulesOptions {
  /** By how much the times of quotas are shorter than in the world, at most 1; see `node.ts`. */
  readonly quotaPace: number;
  /** By how much a pause between connections, such as a back-off after a Goodbye, is shorter: slot time to slot time. */
  readonly pausePace: number;
}
