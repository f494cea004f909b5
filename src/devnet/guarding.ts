import type { Room } from './circumstances.ts';
import type { Rules } from './clients/rules.ts';
import type { Gate } from './gate.ts';
import { rateLimiter } from './limits.ts';

export interface GuardOptions {
  readonly gate: Gate;
  readonly rules: Rules;
  readonly room: () => Room;
  readonly quotaPace: number;
  readonly bansAddresses: boolean;
  /** How many peers of an address are banned. */
  readonly bannedAt: (ip: string) => number;
  readonly connectionsWith: (peerId: string) => number;
  /** Told of peers that are refused because they are banned. */
  readonly onRefused: (peerId: string) => void;
}

/** Has a node's gate refuse whom its client refuses before anything is said. */
export function guardGate(options: GuardOptions): void {
  const { gate, rules, room, quotaPace, bansAddresses, bannedAt, connectionsWith, onRefused } = options;
  const { dialsPerAddress, bannedPeersPerAddress, connectionsPerPeer, whenFull } = rules.pace;
  const dials = dialsPerAddress === null ? null : rateLimiter({ quotas: { dial: dialsPerAddress } }, quotaPace);
  const isAddressBanned = (ip: string) =>
    bansAddresses && bannedPeersPerAddress !== null && bannedAt(ip) >= bannedPeersPerAddress;

  gate.admitsAddress = (ip) => {
    if (isAddressBanned(ip)) return false;
    if (dials?.admits(ip, 'dial', Date.now()) === false) return false;
    return whenFull !== 'end-before-noise' || room() !== 'full';
  };
  gate.admitsPeer = (peerId, direction) => {
    if (rules.receive(peerId, Date.now())?.type === 'end') {
      onRefused(peerId);
      return false;
    }
    if (connectionsWith(peerId) >= connectionsPerPeer) return false;
    return direction === 'outbound' || whenFull !== 'end-after-noise' || room() !== 'full';
  };
}
