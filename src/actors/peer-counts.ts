import { dueAtMs, type PeerPhase, type PeerState } from './peer.ts';

export interface PeerCounts {
  readonly known: number;
  readonly due: number;
  readonly phases: Readonly<Record<PeerPhase['name'], number>>;
}

/** Looks at every record. */
export function countPeers(peers: Iterable<PeerState>, nowMs: number): PeerCounts {
  const phases = { known: 0, dialing: 0, handshaking: 0, probing: 0, resting: 0, 'backing-off': 0, forgotten: 0 };
  let known = 0;
  let due = 0;
  for (const peer of peers) {
    known++;
    phases[peer.phase.name]++;
    if (dueAtMs(peer) <= nowMs) due++;
  }
  return { known, due, phases };
}
