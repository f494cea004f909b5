import type { Connection } from '@libp2p/interface';
import { AsyncSubject, type Subscription } from 'rxjs';
import { uint64 } from './bytes.ts';
import { CLIENTS, type ClientProfile } from './clients.ts';
import { attend, type Departure, PeerFailure } from './conduct.ts';
import { diallerOn } from './dialler.ts';
import type { Behaviour } from './faults.ts';
import { GOODBYE } from './goodbye.ts';
import type { Libp2pHost } from './libp2p.ts';
import { createBans, rateLimiter } from './limits.ts';
import type { Self } from './methods.ts';
import { notify } from './reqresp.ts';
import { type Host, serveMethods } from './serving.ts';

/** Something a peer did wrong or that went wrong with it; never the end of a node. */
export interface Problem {
  readonly peerId: string;
  readonly during: string;
  readonly error: unknown;
}

export interface ReceptionOptions {
  readonly libp2p: Libp2pHost['libp2p'];
  readonly behaviour: Behaviour;
  readonly self: Self;
  /** By how much quotas are shorter than in the world, at most 1. */
  readonly pace: number;
  readonly onProblem: (problem: Problem) => void;
}

/** Serves the client's methods and treats whoever dials leniently. Resolves with what ends it; `peer-manager.ts` is strict. */
export async function receivePeers(options: ReceptionOptions): Promise<() => void> {
  const { libp2p, behaviour, self } = options;
  const stopping = new AbortController();
  const reception = new Reception(options, stopping.signal);
  const { profile, host } = reception;
  const { onOpen, onIdentified, onClose } = reception;

  libp2p.addEventListener('connection:open', onOpen);
  libp2p.addEventListener('peer:identify', onIdentified);
  libp2p.addEventListener('connection:close', onClose);
  await serveMethods({ libp2p, behaviour, profile, self, signal: stopping.signal, host });

  return () => {
    stopping.abort(new Error('the node is stopping'));
    libp2p.removeEventListener('connection:open', onOpen);
    libp2p.removeEventListener('peer:identify', onIdentified);
    libp2p.removeEventListener('connection:close', onClose);
    reception.clear();
  };
}

/** One connection with a peer. */
interface Guest {
  readonly greeted: AsyncSubject<void>;
  readonly pinged: AsyncSubject<void>;
  readonly dialler: ReturnType<typeof diallerOn>;
  readonly attention: Subscription | null;
}

class Reception {
  readonly profile: ClientProfile;
  readonly #options: ReceptionOptions;
  readonly #signal: AbortSignal;
  readonly #guests = new Map<string, Guest>();
  readonly #bans = createBans();

  constructor(options: ReceptionOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    this.profile = CLIENTS[options.self.client];
  }

  get host(): Host {
    const { profile } = this;
    const limiter = profile.rateLimit === null ? null : rateLimiter(profile.rateLimit, this.#options.pace);
    return {
      admit: (name, connection) => {
        if (limiter === null || name === 'goodbye') return null;
        if (limiter.admits(connection.remotePeer.toString(), name, Date.now())) return null;
        return profile.rateLimit?.result ?? 1;
      },
      refused: async (_name, connection) => {
        if (profile.bans.rate === undefined) return;
        await this.#leave(connection, { reason: GOODBYE.banned, offence: 'rate' });
      },
      hesitate: () => null,
      received: () => undefined,
      answered: async (name, body, connection) => {
        if (name === 'goodbye') return await connection.close();
        if (connection.status !== 'open') return;
        if (name === 'ping') settle(this.#welcome(connection).pinged);
        if (name !== 'status') return;
        settle(this.#welcome(connection).greeted);
        await this.#orLeave(connection, () => this.#welcome(connection).dialler.weigh(body));
      },
      failed: (name, error, connection) => this.#report(connection, name)(error),
    };
  }

  readonly onOpen = ({ detail: connection }: CustomEvent<Connection>): void => {
    if (this.#bans.isBanned(connection.remotePeer.toString(), Date.now())) {
      this.#leaveQuietly(connection, { reason: GOODBYE.banned, offence: null });
    } else if (connection.direction === 'inbound') {
      this.#welcome(connection);
    } else {
      this.#introduce(connection).catch(this.#report(connection, 'introducing itself'));
    }
  };

  readonly onIdentified = ({ detail: { connection } }: CustomEvent<{ connection: Connection }>): void => {
    if (this.#options.behaviour !== 'too-many-peers') return;
    this.#leaveQuietly(connection, { reason: GOODBYE.tooManyPeers, offence: null });
  };

  readonly onClose = ({ detail: connection }: CustomEvent<Connection>): void => {
    this.#guests.get(connection.id)?.attention?.unsubscribe();
    this.#guests.delete(connection.id);
  };

  clear(): void {
    for (const { attention } of this.#guests.values()) attention?.unsubscribe();
    this.#guests.clear();
  }

  #report(connection: Connection, during: string): (error: unknown) => void {
    return (error) => {
      if (!this.#signal.aborted) {
        this.#options.onProblem({ peerId: connection.remotePeer.toString(), during, error });
      }
    };
  }

  async #leave(connection: Connection, { reason, offence }: Departure): Promise<void> {
    const banMs = offence === null ? undefined : this.profile.bans[offence];
    if (banMs !== undefined) this.#bans.ban(connection.remotePeer.toString(), Date.now() + banMs);
    const failed = this.#report(connection, 'goodbye/1');
    await notify(connection, 'goodbye/1', uint64(BigInt(reason)), this.#signal).catch(failed);
    await connection.close();
  }

  #leaveQuietly(connection: Connection, departure: Departure): void {
    this.#leave(connection, departure).catch(this.#report(connection, 'closing'));
  }

  #welcome(connection: Connection): Guest {
    const known = this.#guests.get(connection.id);
    if (known !== undefined) return known;
    const { self } = this.#options;
    const { profile } = this;
    const greeted = new AsyncSubject<void>();
    const pinged = new AsyncSubject<void>();
    const onFailure = (method: string, error: unknown) => this.#report(connection, `our ${method}`)(error);
    const dialler = diallerOn({ connection, profile, self, greeted, pinged, signal: this.#signal, onFailure });
    const attention =
      connection.direction === 'outbound'
        ? null
        : attend(dialler, profile.conduct).subscribe((departure) => this.#leaveQuietly(connection, departure));
    const guest = { greeted, pinged, dialler, attention };
    this.#guests.set(connection.id, guest);
    return guest;
  }

  async #orLeave(connection: Connection, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof PeerFailure)) throw error;
      const reason = error.goodbye ?? this.profile.conduct.failureReason;
      await this.#leave(connection, { reason, offence: error.offence });
    }
  }

  /** A dialling client introduces itself (phase0/p2p-interface.md, "Status"). */
  async #introduce(connection: Connection): Promise<void> {
    const { dialler } = this.#welcome(connection);
    await this.#orLeave(connection, async () => {
      await dialler.askStatus();
      await dialler.askMetaData();
    });
  }
}

function settle(subject: AsyncSubject<void>): void {
  subject.next();
  subject.complete();
}
