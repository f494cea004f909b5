import type { Connection, Stream } from '@libp2p/interface';
import { AsyncSubject, type Subscription } from 'rxjs';
import { uint64 } from './bytes.ts';
import { CLIENTS, type ClientProfile, type LimitedMethod } from './clients.ts';
import { attend, type Departure, PeerFailure } from './conduct.ts';
import { diallerOn } from './dialler.ts';
import type { Behaviour } from './faults.ts';
import { GOODBYE } from './goodbye.ts';
import { type Lie, lieOf } from './hostile-answers.ts';
import type { Libp2pHost } from './libp2p.ts';
import { createBans, rateLimiter } from './limits.ts';
import { type Self, servedMethods } from './methods.ts';
import { type Answer, answer, answerWith, type Method, notify, protocolId, refuse } from './reqresp.ts';

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

/** One connection with a peer. */
interface Guest {
  readonly greeted: AsyncSubject<void>;
  readonly pinged: AsyncSubject<void>;
  readonly dialler: ReturnType<typeof diallerOn>;
  readonly attention: Subscription | null;
}

/** Serves the client's methods and treats whoever dials as the client does. Resolves with what ends it. */
export async function receivePeers(options: ReceptionOptions): Promise<() => void> {
  const { libp2p, behaviour, self, pace, onProblem } = options;
  const profile: ClientProfile = CLIENTS[self.client];
  const stopping = new AbortController();
  const { signal } = stopping;
  const guests = new Map<string, Guest>();
  const bans = createBans();
  const limiter = profile.rateLimit === null ? null : rateLimiter(profile.rateLimit, pace);

  const report = (connection: Connection, during: string) => (error: unknown) => {
    if (!signal.aborted) onProblem({ peerId: connection.remotePeer.toString(), during, error });
  };

  const leave = async (connection: Connection, { reason, offence }: Departure) => {
    const banMs = offence === null ? undefined : profile.bans[offence];
    if (banMs !== undefined) bans.ban(connection.remotePeer.toString(), Date.now() + banMs);
    await notify(connection, 'goodbye/1', uint64(BigInt(reason)), signal).catch(report(connection, 'goodbye/1'));
    await connection.close();
  };

  const welcome = (connection: Connection): Guest => {
    const known = guests.get(connection.id);
    if (known !== undefined) return known;
    const greeted = new AsyncSubject<void>();
    const pinged = new AsyncSubject<void>();
    const onFailure = (method: string, error: unknown) => report(connection, `our ${method}`)(error);
    const dialler = diallerOn({ connection, profile, self, greeted, pinged, signal, onFailure });
    const attention =
      connection.direction === 'outbound'
        ? null
        : attend(dialler, profile.conduct).subscribe((departure) => {
            leave(connection, departure).catch(report(connection, 'closing'));
          });
    const guest = { greeted, pinged, dialler, attention };
    guests.set(connection.id, guest);
    return guest;
  };

  const weigh = async (connection: Connection, status: Uint8Array) => {
    try {
      await welcome(connection).dialler.weigh(status);
    } catch (error) {
      if (!(error instanceof PeerFailure)) throw error;
      await leave(connection, { reason: error.goodbye ?? profile.conduct.failureReason, offence: error.offence });
    }
  };

  const serve = async (method: Method, how: Answer, stream: Stream, connection: Connection) => {
    const [name = ''] = method.split('/');
    const lie = behaviour === 'honest' ? undefined : lieOf(behaviour, name);
    if (lie !== undefined) return await play(lie, how, stream, signal);
    if (limiter?.admits(connection.remotePeer.toString(), name as LimitedMethod, Date.now()) === false) {
      await refuse(stream, profile.rateLimit?.result ?? 1, 'rate limited', signal);
      if (profile.bans.rate !== undefined) await leave(connection, { reason: GOODBYE.banned, offence: 'rate' });
      return;
    }
    const body = await answer(stream, how, signal);
    if (method === 'goodbye/1') return await connection.close();
    if (connection.status !== 'open') return;
    if (name === 'ping') settle(welcome(connection).pinged);
    if (name !== 'status') return;
    settle(welcome(connection).greeted);
    await weigh(connection, body);
  };

  /** A dialling client introduces itself (phase0/p2p-interface.md, "Status"). */
  const introduce = async (connection: Connection) => {
    const { dialler } = welcome(connection);
    try {
      await dialler.askStatus();
      await dialler.askMetaData();
    } catch (error) {
      if (!(error instanceof PeerFailure)) throw error;
      await leave(connection, { reason: error.goodbye ?? profile.conduct.failureReason, offence: error.offence });
    }
  };

  const onOpen = ({ detail: connection }: CustomEvent<Connection>) => {
    if (bans.isBanned(connection.remotePeer.toString(), Date.now())) {
      leave(connection, { reason: GOODBYE.banned, offence: null }).catch(report(connection, 'closing'));
    } else if (connection.direction === 'inbound') {
      welcome(connection);
    } else {
      introduce(connection).catch(report(connection, 'introducing itself'));
    }
  };
  const onIdentified = ({ detail: { connection } }: CustomEvent<{ connection: Connection }>) => {
    if (behaviour !== 'too-many-peers') return;
    leave(connection, { reason: GOODBYE.tooManyPeers, offence: null }).catch(report(connection, 'closing'));
  };
  const onClose = ({ detail: connection }: CustomEvent<Connection>) => {
    guests.get(connection.id)?.attention?.unsubscribe();
    guests.delete(connection.id);
  };

  libp2p.addEventListener('connection:open', onOpen);
  libp2p.addEventListener('peer:identify', onIdentified);
  libp2p.addEventListener('connection:close', onClose);
  for (const [method, how] of servedMethods(profile, self)) {
    await libp2p.handle(protocolId(method), ({ stream, connection }) => {
      serve(method, how, stream, connection).catch(report(connection, method));
    });
  }

  return () => {
    stopping.abort(new Error('the node is stopping'));
    libp2p.removeEventListener('connection:open', onOpen);
    libp2p.removeEventListener('peer:identify', onIdentified);
    libp2p.removeEventListener('connection:close', onClose);
    for (const { attention } of guests.values()) attention?.unsubscribe();
    guests.clear();
  };
}

async function play(lie: Lie, how: Answer, stream: Stream, signal: AbortSignal): Promise<void> {
  switch (lie.kind) {
    case 'reset':
      return stream.abort(new Error('this node resets such streams'));
    case 'silence':
      for await (const _ of stream.source) signal.throwIfAborted();
      return;
    case 'bytes': {
      const honest = how.respond() ?? new Uint8Array();
      return await answerWith(stream, (stop) => asynchronously(lie.bytes(honest, stop)), signal);
    }
  }
}

async function* asynchronously<T>(items: AsyncIterable<T> | Iterable<T>): AsyncGenerator<T> {
  yield* items;
}

function settle(subject: AsyncSubject<void>): void {
  subject.next();
  subject.complete();
}
