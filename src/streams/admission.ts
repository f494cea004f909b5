import { type Crowd, type CrowdLimits, createCrowd, ipPrefix, mayContact } from '../consensus/address-policy.ts';
import { type Failure, failure } from '../consensus/failure.ts';
import type { Network } from '../consensus/network.ts';
import { multiaddrText, type NodeRecord } from '../consensus/node-record.ts';
import type { OptOut } from '../consensus/opt-out.ts';

/** Whether a node is asked; one at a crowded place is not even remembered. */
export type AskVerdict = 'yes' | 'no' | 'crowded';

/** Whom the crawler has to do with: whatever a record claims, it decides which of its addresses are contacted, and how many of one place. */
export interface Admission {
  /** Whether we are to have nothing to do with the node: its operator asked. */
  declines(record: NodeRecord): boolean;
  /** Whether discv5 asks the node in this round. */
  mayAsk(record: NodeRecord): AskVerdict;
  /** Forgets who was asked: a new round begins. */
  beginRound(): void;
  /** Judges a node of our network. */
  judge(record: NodeRecord): Verdict;
}

export interface Verdict {
  /** False when there are enough peers at its place. */
  readonly admitted: boolean;
  /** Those of its addresses that may be dialled, as multiaddrs. */
  readonly addresses: readonly string[];
  /** What is wrong with its record, if anything. */
  readonly problem: Failure | null;
}

export interface AdmissionOptions {
  readonly network: Network;
  readonly optOut: OptOut;
  /** Peers of one address, and of one neighbourhood, that are kept. */
  readonly entries: CrowdLimits;
  /** Nodes of one address, and of one neighbourhood, that are asked in one round. */
  readonly asked: CrowdLimits;
  /** Whether a peer is still in the registry. */
  readonly isKnown: (peerId: string) => boolean;
}

export function createAdmission({ network, optOut, entries, asked, isKnown }: AdmissionOptions): Admission {
  const places = createPlaces(entries, isKnown);
  let askedCrowd: Crowd = createCrowd(asked);

  return {
    declines: ({ peerId, nodeId, addresses, udp }) =>
      optOut.covers({ peerId, nodeId, ips: [...addresses, ...udp].map(({ ip }) => ip) }),
    mayAsk({ udp }) {
      const ip = udp.find((endpoint) => mayContact(network, endpoint.ip))?.ip;
      if (ip === undefined) return 'no';
      if (!askedCrowd.hasRoom(ip)) return 'crowded';
      askedCrowd.enter(ip);
      return 'yes';
    },
    beginRound() {
      askedCrowd = createCrowd(asked);
    },
    judge(record) {
      const allowed = record.addresses.filter(({ ip }) => mayContact(network, ip));
      const home = allowed[0]?.ip;
      if (home !== undefined && !places.admit(record.peerId, home)) {
        const problem = failure('resolve', 'resource_limited', 'too many nodes at its address');
        return { admitted: false, addresses: [], problem };
      }
      return { admitted: true, addresses: allowed.map(multiaddrText), problem: problemOf(record, allowed.length) };
    },
  };
}

/** What is malformed in a record that can be used all the same; `null` when nothing is. */
export function malformation({ malformed }: NodeRecord): Failure | null {
  return malformed.length === 0 ? null : failure('resolve', 'bad_response', `wrong length of ${malformed.join(', ')}`);
}

function problemOf(record: NodeRecord, allowed: number): Failure | null {
  const { addresses } = record;
  const malformed = malformation(record);
  if (malformed !== null || allowed > 0) return malformed;
  return addresses.length === 0 ? failure('resolve', 'no_address') : failure('resolve', 'private_address');
}

/** Who is kept of which place. Peers that the registry has forgotten make room when it is needed. */
function createPlaces({ perIp, perPrefix }: CrowdLimits, isKnown: (peerId: string) => boolean) {
  const residents = new Map<string, Set<string>>();

  function hasRoom(place: string, limit: number, peerId: string): boolean {
    const here = residents.get(place);
    if (here === undefined || here.has(peerId) || here.size < limit) return true;
    for (const resident of here) if (!isKnown(resident)) here.delete(resident);
    return here.size < limit;
  }

  function settle(place: string, peerId: string): void {
    const here = residents.get(place);
    if (here === undefined) residents.set(place, new Set([peerId]));
    else here.add(peerId);
  }

  return {
    admit(peerId: string, ip: string): boolean {
      const prefix = ipPrefix(ip);
      if (!hasRoom(ip, perIp, peerId) || !hasRoom(prefix, perPrefix, peerId)) return false;
      settle(ip, peerId);
      settle(prefix, peerId);
      return true;
    },
  };
}
