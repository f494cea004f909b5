import { setTimeout as delay } from 'node:timers/promises';
import type { Connection } from '@libp2p/interface';
import { uint64 } from './bytes.ts';
import type { Room } from './circumstances.ts';
import type { Rules, Sighting, Verdict } from './clients/rules.ts';
import { CLIENTS, type ClientProfile } from './clients.ts';
import { GOODBYE } from './goodbye.ts';
import { guardGate } from './guarding.ts';
import { type Guest, guestOn } from './guest.ts';
import type { Libp2pHost } from './libp2p.ts';
import { BoundedMap } from './limits.ts';
import type { Self } from './methods.ts';
import type { Problem } from './peers.ts';
import type { Penalty } from './penalties.ts';
import type { Random } from './random.ts';
import { notify } from './reqresp.ts';
import type { Host } from './serving.ts';

export interface PeerManagerOptions {
  readonly host: Libp2pHost;
  readonly self: Self;
  readonly rules: Rules;
  readonly random: Random;
  readonly room: () => Room;
  /** By how much the times of quotas are shorter than in the world, at most 1. */
  readonly quotaPace: number;
  /** Whether banned peers count against the address that they have come from. */
  readonly bansAddresses: boolean;
  readonly signal: AbortSignal;
  readonly onPenalty: (penalty: Pick<Penalty, 'peer_id' | 'event' | 'points' | 'score' | 'banned'>) => void;
  /** A peer's last connection has ended, and not by us. */
  readonly onPeerGone: (peerId: string) => void;
  readonly onProblem: (problem: Problem) => void;
}

/** A peer, and the address that it has. */
export interface Remote {
  readonly peerId: string;
  readonly ip: string;
}

/** Treats peers as a client does: asks them, judges what they do by its rules, and leaves, bans and refuses them. */
export class PeerManager {
  readonly profile: ClientProfile;
  readonly #options: PeerManagerOptions;
  readonly #guests = new Map<string, Guest>();
  /** The addresses of peers that are banned, each with their ids. */
  readonly #bannedAt = new BoundedMap<ReadonlySet<string>>();

  constructor(options: PeerManagerOptions) {
    this.#options = options;
    this.profile = CLIENTS[options.self.client];
    guardGate({
      ...options,
      gate: options.host.gate,
      bannedAt: (ip) => this.#bannedAt.get(ip)?.size ?? 0,
      connectionsWith: (peerId) => this.#connectionsWith(peerId).length,
      onRefused: (peerId) => this.#noteEvent(peerId, 'refused as banned'),
    });
  }

  /** What the node does with requests of its peers. */
  get serving(): Host {
    const { rules } = this.#options;
    const leaving = new WeakMap<Connection, Verdict>();
    return {
      admit: (asked, connection) => {
        this.#guests.get(connection.id)?.onRequest();
        const verdict = this.#note(remoteOf(connection), { type: 'request', asked, connectionId: connection.id });
        leaving.set(connection, verdict);
        return verdict.refuse ?? null;
      },
      refused: async (_name, connection) => {
        const { leave } = leaving.get(connection) ?? {};
        if (leave !== undefined) await this.#leave(connection.remotePeer.toString(), leave.goodbye);
      },
      hesitate: (_name, connection) => {
        const isQuic = connection.multiplexer === 'quic' || connection.remoteAddr.toString().includes('/quic-v1');
        if (!isQuic || rules.pace.quicReadDelayMs === 0) return null;
        return delay(rules.pace.quicReadDelayMs).then(() => {
          if (connection.status !== 'open') throw new Error('the connection ended before the request was read');
        });
      },
      received: (name, body, connection) => {
        if (name === 'goodbye')
          this.see(remoteOf(connection), { type: 'goodbye', reason: Number(body.readBigUInt64LE()) });
      },
      answered: async (name, body, connection) => {
        if (name === 'goodbye' && rules.pace.hangsUpOnGoodbye) await this.#hangUp(connection.remotePeer.toString());
        if (name === 'goodbye' || connection.status !== 'open') return;
        const guest = this.#welcome(connection);
        if (name === 'ping') guest.onPing();
        if (name === 'status') await guest.onStatus(body);
      },
      failed: (asked, error, connection, wasRead) => {
        if (!wasRead) this.see(remoteOf(connection), { type: 'cut-request', asked });
        this.#report(connection, asked)(error);
      },
    };
  }

  readonly onOpen = ({ detail: connection }: CustomEvent<Connection>): void => {
    const { rules, room } = this.#options;
    const peerId = connection.remotePeer.toString();
    const reception = rules.receive(peerId, Date.now());
    if (reception?.type === 'leave') {
      this.#noteEvent(peerId, 'refused as banned');
      this.#leaveQuietly(peerId, reception.goodbye);
      return;
    }
    if (connection.direction === 'inbound' && room() === 'full' && this.#turnsAway(peerId)) return;
    this.#welcome(connection);
  };

  readonly onClose = ({ detail: connection }: CustomEvent<Connection>): void => {
    const guest = this.#guests.get(connection.id);
    guest?.stop();
    this.#guests.delete(connection.id);
    if (guest === undefined || this.#connectionsWith(connection.remotePeer.toString()).length > 0) return;
    const { direction } = connection;
    this.see(remoteOf(connection), { type: 'disconnected', direction, said: guest.saidGoodbye });
    if (guest.saidGoodbye === null) this.#options.onPeerGone(connection.remotePeer.toString());
  };

  readonly onSubscribed = (peerId: string): void => {
    for (const guest of this.#guests.values()) if (guest.peerId === peerId) guest.onSubscribed();
  };

  /** What a client does to connected peers every now and then. */
  heartbeat(nowMs: number): void {
    const atTarget = this.#options.room() !== 'wants-peers';
    for (const guest of [...this.#guests.values()]) {
      const { direction, hasLongLivedSubnets } = guest;
      const verdict = this.#options.rules.review(guest.peerId, { direction, hasLongLivedSubnets, atTarget }, nowMs);
      if (verdict.event !== undefined) this.#noteEvent(guest.peerId, verdict.event, verdict.points);
      this.#follow(guest.peerId, verdict);
    }
  }

  /** Books what a peer has done, and does what the client does about it. */
  see(remote: Remote, sighting: Sighting): void {
    if (this.#options.signal.aborted) return;
    this.#follow(remote.peerId, this.#note(remote, sighting));
  }

  /** Says Goodbye 129. */
  turnAway(peerId: string): void {
    this.#noteEvent(peerId, 'turned away');
    this.#leaveQuietly(peerId, GOODBYE.tooManyPeers);
  }

  stop(): void {
    for (const guest of this.#guests.values()) guest.stop();
    this.#guests.clear();
  }

  /** Whether a newcomer has to go for want of room. */
  #turnsAway(peerId: string): boolean {
    const { whenFull } = this.#options.rules.pace;
    if (whenFull !== 'goodbye-129' && whenFull !== 'end') return false;
    this.#noteEvent(peerId, 'turned away');
    this.#leaveQuietly(peerId, whenFull === 'end' ? null : GOODBYE.tooManyPeers);
    return true;
  }

  #welcome(connection: Connection): Guest {
    const known = this.#guests.get(connection.id);
    if (known !== undefined) return known;
    const { self, rules, random, signal } = this.#options;
    const guest = guestOn({
      connection,
      profile: this.profile,
      pace: rules.pace,
      self,
      random,
      signal,
      see: (sighting) => this.see(remoteOf(connection), sighting),
    });
    this.#guests.set(connection.id, guest);
    return guest;
  }

  #note({ peerId, ip }: Remote, sighting: Sighting): Verdict {
    const { rules } = this.#options;
    const verdict = rules.see(peerId, sighting, Date.now());
    if (verdict.event !== undefined) this.#noteEvent(peerId, verdict.event, verdict.points);
    if (rules.isBanned(peerId, Date.now())) {
      this.#bannedAt.set(ip, new Set([...(this.#bannedAt.get(ip) ?? []), peerId]));
    }
    return verdict;
  }

  #noteEvent(peerId: string, event: string, points = 0): void {
    const { rules, onPenalty } = this.#options;
    const nowMs = Date.now();
    const score = rules.score(peerId, nowMs);
    onPenalty({ peer_id: peerId, event, points, score, banned: rules.isBanned(peerId, nowMs) });
  }

  #follow(peerId: string, { leave }: Verdict): void {
    if (leave !== undefined) this.#leaveQuietly(peerId, leave.goodbye);
  }

  /** Ends all connections with a peer. A client says Goodbye once. */
  async #leave(peerId: string, goodbye: number | null): Promise<void> {
    const { signal } = this.#options;
    const connections = this.#connectionsWith(peerId);
    for (const connection of connections) {
      const guest = this.#guests.get(connection.id);
      if (guest?.saidGoodbye !== null && guest !== undefined) return;
      if (guest !== undefined) guest.saidGoodbye = goodbye ?? 0;
    }
    const [first] = connections;
    if (goodbye !== null && first !== undefined) {
      await notify(first, 'goodbye/1', uint64(BigInt(goodbye)), signal).catch(this.#report(first, 'goodbye/1'));
    }
    await this.#hangUp(peerId);
  }

  #leaveQuietly(peerId: string, goodbye: number | null): void {
    this.#leave(peerId, goodbye).catch((error: unknown) => this.#problem(peerId, 'leaving', error));
  }

  async #hangUp(peerId: string): Promise<void> {
    await Promise.all(
      this.#connectionsWith(peerId).map((connection) => {
        this.#guests.get(connection.id)?.onHangUp();
        return connection.close();
      }),
    );
  }

  #connectionsWith(peerId: string): Connection[] {
    const all = this.#options.host.libp2p.getConnections();
    return all.filter(({ remotePeer, status }) => status === 'open' && remotePeer.toString() === peerId);
  }

  #report({ remotePeer }: Pick<Connection, 'remotePeer'>, during: string): (error: unknown) => void {
    return (error) => this.#problem(remotePeer.toString(), during, error);
  }

  #problem(peerId: string, during: string, error: unknown): void {
    const { signal, onProblem } = this.#options;
    if (!signal.aborted) onProblem({ peerId, during, error });
  }
}

function remoteOf({ remotePeer, remoteAddr }: Connection): Remote {
  return { peerId: remotePeer.toString(), ip: remoteAddr.toOptions().host };
}
