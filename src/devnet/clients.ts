/** The six beacon node programs and how they differ as far as a peer can see. */

export const CLIENT_NAMES = ['Lighthouse', 'Prysm', 'Teku', 'Nimbus', 'Lodestar', 'Grandine'] as const;
export type ClientName = (typeof CLIENT_NAMES)[number];

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
}

/** Real milliseconds: a client's patience does not depend on the length of a slot. */
export interface Conduct {
  /** Goodbye to a dialler that has not sent its Status by then. */
  readonly statusDeadlineMs: number | null;
  /** When it asks for the dialler's Status, unless that has arrived. */
  readonly asksStatusAfterMs: number | null;
  /** When it asks for MetaData; after the dialler's Status if null. */
  readonly asksMetaDataAfterMs: number | null;
  readonly pingIntervalMs: number;
  /** Requests that may go unanswered before it says Goodbye. */
  readonly toleratedFailures: number;
}

/** Requests and answers of every client are given up after this long. */
export const REQUEST_TIMEOUT_MS = 10_000;

const EAGER: Conduct = {
  statusDeadlineMs: null,
  asksStatusAfterMs: null,
  asksMetaDataAfterMs: 0,
  pingIntervalMs: 20_000,
  toleratedFailures: 0,
};

export const CLIENTS: Readonly<Record<ClientName, ClientProfile>> = {
  Lighthouse: {
    share: 40,
    agents: ['Lighthouse/v8.0.1-ced49dd/x86_64-linux', 'Lighthouse/v8.0.0-e3ee7fe/aarch64-linux'],
    muxers: ['yamux', 'mplex'],
    statusVersions: [2, 1],
    metaDataVersions: [3, 2, 1],
    waitsForHalfClose: false,
    conduct: EAGER,
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
    conduct: {
      statusDeadlineMs: 10_000,
      asksStatusAfterMs: null,
      asksMetaDataAfterMs: null,
      pingIntervalMs: 20_000,
      toleratedFailures: 3,
    },
  },
  Teku: {
    share: 13,
    agents: ['teku/teku/v25.11.0/linux-x86_64/-eclipseadoptium-openjdk64bitservervm-java-21'],
    muxers: ['yamux', 'mplex'],
    statusVersions: [2, 1],
    metaDataVersions: [3],
    waitsForHalfClose: true,
    conduct: {
      statusDeadlineMs: 10_000,
      asksStatusAfterMs: null,
      asksMetaDataAfterMs: null,
      pingIntervalMs: 10_000,
      toleratedFailures: 3,
    },
  },
  Nimbus: {
    share: 10,
    agents: ['nimbus'],
    muxers: ['yamux', 'mplex'],
    statusVersions: [2],
    metaDataVersions: [3],
    waitsForHalfClose: false,
    conduct: {
      statusDeadlineMs: null,
      asksStatusAfterMs: 0,
      asksMetaDataAfterMs: null,
      pingIntervalMs: 20_000,
      toleratedFailures: 0,
    },
  },
  Lodestar: {
    share: 7,
    agents: ['Lodestar/v1.36.0', 'Lodestar/v1.36.0/9bd3b5c'],
    muxers: ['mplex'],
    statusVersions: [2],
    metaDataVersions: [3],
    waitsForHalfClose: false,
    conduct: {
      statusDeadlineMs: null,
      asksStatusAfterMs: 15_000,
      asksMetaDataAfterMs: null,
      pingIntervalMs: 20_000,
      toleratedFailures: 3,
    },
  },
  Grandine: {
    share: 5,
    agents: ['Grandine/2.0.0-1e3d5c2/x86_64-linux'],
    muxers: ['yamux', 'mplex'],
    statusVersions: [2],
    metaDataVersions: [3],
    waitsForHalfClose: false,
    conduct: EAGER,
  },
};
