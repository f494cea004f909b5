import { GOODBYE } from './goodbye.ts';

/** The beacon node programs and how they differ as far as a peer can see. */

/** Those that have a share of every devnet. */
export const CLIENT_NAMES = ['Lighthouse', 'Prysm', 'Teku', 'Nimbus', 'Lodestar', 'Grandine'] as const;
/** Caplin, the one inside Erigon, is a trait of some nodes. */
export type ClientName = (typeof CLIENT_NAMES)[number] | 'Caplin';

export interface ClientProfile {
  /** Share of the network in percent. */
  readonly share: number;
  /** The agent strings of the versions in use, as identify carries them. */
  readonly agents: readonly string[];
  readonly muxers: readonly ('yamux' | 'mplex')[];
  /** Newest first, both when serving and when asking. */
  readonly statusVersions: readonly [1 | 2, ...(1 | 2)[]];
  readonly metaDataVersions: readonly [1 | 2 | 3, ...(1 | 2 | 3)[]];
  /** Whether an empty request is answered only once the asker has closed its side. */
  readonly waitsForHalfClose: boolean;
  /** How it treats a peer that has dialled it. */
  readonly conduct: Conduct;
  /** What it does about peers that ask too often; `null` where nothing is known. */
  readonly rateLimit: RateLimit | null;
  /** How long it has nothing to do with a peer after certain offences, in ms. */
  readonly bans: Readonly<Partial<Record<Offence, number>>>;
}

/** Real milliseconds: a client's patience does not depend on the length of a slot. */
export interface Conduct {
  /** Goodbye to a dialler that has not sent its Status by then. */
  readonly statusDeadlineMs: number | null;
  /** When it asks for the dialler's Status, unless that has arrived. */
  readonly asksStatusAfterMs: number | null;
  /** How often it asks for Status again, wanted or not. */
  readonly statusIntervalMs: number | null;
  /** What moves it to ask for MetaData. A ping counts in either direction, as both tell a sequence number. */
  readonly asksMetaData: 'at once' | 'after status' | 'after ping';
  readonly pingsAfterStatus: boolean;
  /** Whether it says Goodbye to a peer with a custody group count that the specification does not allow. */
  readonly checksCustody: boolean;
  readonly pingIntervalMs: number;
  /** Requests that may go unanswered before it says Goodbye. */
  readonly toleratedFailures: number;
  /** The reason it gives then. */
  readonly failureReason: number;
}

/** How many requests a peer id may make in a time, over all its connections, and the result code of one too many. */
export interface RateLimit {
  readonly quotas: Readonly<Partial<Record<LimitedMethod, { readonly requests: number; readonly perMs: number }>>>;
  readonly result: number;
}
/** Goodbye has a quota too, which changes nothing: the connection ends either way. */
export type LimitedMethod = 'status' | 'ping' | 'metadata';

/** What clients ban for: another network, silence, answers that cannot be read or methods not spoken, too many requests. */
export type Offence = 'irrelevant' | 'unresponsive' | 'incompatible' | 'rate';

/** Requests and answers of every client are given up after this long. */
export const REQUEST_TIMEOUT_MS = 10_000;

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

const PATIENT: Conduct = {
  statusDeadlineMs: null,
  asksStatusAfterMs: null,
  statusIntervalMs: null,
  asksMetaData: 'after status',
  pingsAfterStatus: false,
  checksCustody: false,
  pingIntervalMs: 20_000,
  toleratedFailures: 3,
  failureReason: GOODBYE.fault,
};
const EAGER: Conduct = { ...PATIENT, asksMetaData: 'at once', toleratedFailures: 0 };

/** Lighthouse and Lodestar count alike; Grandine has Lighthouse's network code. */
const QUOTAS: RateLimit['quotas'] = {
  status: { requests: 5, perMs: 15_000 },
  ping: { requests: 2, perMs: 10_000 },
  metadata: { requests: 2, perMs: 5_000 },
};
const LEAKY_BUCKET = { requests: 5, perMs: 5_000 };
const RATE_LIMITED = 139;
const INVALID_REQUEST = 1;
const SERVER_ERROR = 2;

export const CLIENTS: Readonly<Record<ClientName, ClientProfile>> = {
  Lighthouse: {
    share: 40,
    agents: ['Lighthouse/v8.0.1-ced49dd/x86_64-linux', 'Lighthouse/v8.0.0-e3ee7fe/aarch64-linux'],
    muxers: ['yamux', 'mplex'],
    statusVersions: [2, 1],
    metaDataVersions: [3, 2, 1],
    waitsForHalfClose: false,
    conduct: { ...EAGER, statusIntervalMs: 300_000, checksCustody: true },
    rateLimit: { quotas: QUOTAS, result: RATE_LIMITED },
    bans: { incompatible: 30 * MINUTE_MS },
  },
  Prysm: {
    share: 25,
    agents: [
      'Prysm/v7.0.0/d2e4cc8f1c7c9a2fdb2ba0cf2d2a2b5e5f6f1c77',
      'Prysm/v7.1.0/70c4f6b1b8c5ae3f3d4ffadd9be3d3de17a1c8bb',
    ],
    muxers: ['yamux', 'mplex'],
    statusVersions: [2],
    metaDataVersions: [3],
    waitsForHalfClose: false,
    conduct: { ...PATIENT, statusDeadlineMs: 10_000, pingsAfterStatus: true },
    rateLimit: {
      quotas: { status: LEAKY_BUCKET, ping: LEAKY_BUCKET, metadata: LEAKY_BUCKET },
      result: INVALID_REQUEST,
    },
    bans: {},
  },
  Teku: {
    share: 13,
    agents: ['teku/teku/v25.11.0/linux-x86_64/-eclipseadoptium-openjdk64bitservervm-java-21'],
    muxers: ['yamux', 'mplex'],
    statusVersions: [2, 1],
    metaDataVersions: [3],
    waitsForHalfClose: true,
    conduct: { ...PATIENT, statusDeadlineMs: 10_000, pingIntervalMs: 10_000 },
    rateLimit: null,
    bans: {},
  },
  Nimbus: {
    share: 10,
    agents: ['nimbus'],
    muxers: ['yamux', 'mplex'],
    statusVersions: [2],
    metaDataVersions: [3],
    waitsForHalfClose: false,
    conduct: { ...PATIENT, asksStatusAfterMs: 0, toleratedFailures: 0 },
    rateLimit: null,
    bans: { irrelevant: 24 * HOUR_MS, unresponsive: 10 * MINUTE_MS, incompatible: 10 * MINUTE_MS },
  },
  Lodestar: {
    share: 7,
    agents: ['Lodestar/v1.36.0', 'Lodestar/v1.36.0/9bd3b5c'],
    muxers: ['mplex'],
    statusVersions: [2],
    metaDataVersions: [3],
    waitsForHalfClose: false,
    conduct: {
      ...PATIENT,
      asksStatusAfterMs: 15_000,
      asksMetaData: 'after ping',
      toleratedFailures: 2,
      failureReason: GOODBYE.badScore,
    },
    rateLimit: { quotas: QUOTAS, result: SERVER_ERROR },
    bans: { rate: 30 * MINUTE_MS },
  },
  Grandine: {
    share: 5,
    agents: ['Grandine/2.0.0-1e3d5c2/x86_64-linux'],
    muxers: ['yamux', 'mplex'],
    statusVersions: [2],
    metaDataVersions: [3],
    waitsForHalfClose: false,
    conduct: EAGER,
    rateLimit: { quotas: QUOTAS, result: RATE_LIMITED },
    bans: { incompatible: 30 * MINUTE_MS },
  },
  Caplin: {
    share: 0,
    agents: ['erigon/caplin/v3.2.2'],
    muxers: ['yamux', 'mplex'],
    statusVersions: [2, 1],
    metaDataVersions: [3, 2, 1],
    waitsForHalfClose: false,
    conduct: PATIENT,
    rateLimit: null,
    bans: {},
  },
};
