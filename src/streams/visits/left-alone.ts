import type { Registry } from '../../actors/registry.ts';
import { failure } from '../../consensus/failure.ts';
import { coversPeer, type OptOut } from '../../consensus/opt-out.ts';
import { type Observation, type VisitOutcome, visitFailed } from '../visit.ts';

/** Who asked to be left alone may still dial us. */
export interface LeftAlone {
  /** By what is known of the peer, and the address that it has now. */
  declines(peerId: string, address: string): boolean;
  /** Nothing is kept of a peer whose record, found only now, says that it asked to be left alone. */
  kept(outcome: VisitOutcome<Observation>): VisitOutcome<Observation>;
}

export function createLeftAlone(optOut: OptOut, registry: Pick<Registry, 'get'>): LeftAlone {
  function covers(peerId: string, address: string, enr: string | null): boolean {
    return coversPeer(optOut, { peerId, enr, addresses: [address] });
  }

  const knownRecord = (peerId: string) => registry.get(peerId)?.enr ?? null;

  return {
    declines: (peerId, address) => covers(peerId, address, knownRecord(peerId)),
    kept(outcome) {
      if (!outcome.ok) return outcome;
      const { peerId, address, enr } = outcome.value;
      return covers(peerId, address, enr)
        ? visitFailed(outcome.value, failure('record', 'gated', 'asked to be left alone'))
        : outcome;
    },
  };
}
