/** Reasons of Goodbye (phase0/p2p-interface.md, "Goodbye"; from 128 on those that clients have agreed on). */
export const GOODBYE = {
  clientShutdown: 1,
  irrelevantNetwork: 2,
  fault: 3,
  unableToVerifyNetwork: 128,
  tooManyPeers: 129,
  rateLimiting: 130,
  badScore: 250,
  banned: 251,
} as const;
