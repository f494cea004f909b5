import type { Connection, Stream } from '@libp2p/interface';
import { AsyncSubject, type Subscription } from 'rxjs';
import { uint64 } from './bytes.ts';
import { irrelevance } from './chain.ts';
import type { ClientProfile } from './clients.ts';
import { attend, GOODBYE } from './conduct.ts';
import { diallerOn } from './dialler.ts';
import type { Host } from './host.ts';
import { type Self, servedMethods } from './methods.ts';
import { type Answer, answer, type Method, notify, protocolId } from './reqresp.ts';

/** Something a peer did wrong or that went wrong with it; never the end of a node. */
export interface Problem {
  readonly peerId: string;
  readonly during: string;
  readonly error: unknown;
}

export interface ReceptionOptions {
  readonly libp2p: Host['libp2p'];
  readonly profile: ClientProfile;
  readonly self: Self;
  readonly onProblem: (problem: Problem) => void;
}

/** One connection that a peer has opened. */
interface Guest {
  readonly greeted: AsyncSubject<void>;
  readonly attention: Subscription;
}

/** Serves the client's methods and treats whoever dials as the client does. Resolves with what ends it. */
export async function receivePeers({ libp2p, profile, self, onProblem }: ReceptionOptions): Promise<() => void> {
  const stopping = new AbortController();
  const { signal } = stopping;
  const guests = new Map<string, Guest>();

  const report = (connection: Connection, during: string) => (error: unknown) => {
    if (!signal.aborted) onProblem({ peerId: connection.remotePeer.toString(), during, error });
  };

  const leave = async (connection: Connection, reason: number) => {
    await notify(connection, 'goodbye/1', uint64(BigInt(reason)), signal).catch(report(connection, 'goodbye/1'));
    await connection.close();
  };

  const welcome = (connection: Connection): Guest => {
    const known = guests.get(connection.id);
    if (known !== undefined) return known;
    const greeted = new AsyncSubject<void>();
    const onFailure = (method: string, error: unknown) => report(connection, `our ${method}`)(error);
    const dialler = diallerOn({ connection, profile, self, greeted, signal, onFailure });
    const attention = attend(dialler, profile.conduct).subscribe((reason) => {
      leave(connection, reason).catch(report(connection, 'closing'));
    });
    const guest = { greeted, attention };
    guests.set(connection.id, guest);
    return guest;
  };

  const serve = async (method: Method, how: Answer, stream: Stream, connection: Connection) => {
    const body = await answer(stream, how, signal);
    if (method === 'goodbye/1') return await connection.close();
    if (!method.startsWith('status/') || connection.status !== 'open') return;
    const { greeted } = welcome(connection);
    greeted.next();
    greeted.complete();
    if (irrelevance(self.schedule, self.slot(), body) !== null) await leave(connection, GOODBYE.irrelevantNetwork);
  };

  const onOpen = ({ detail: connection }: CustomEvent<Connection>) => {
    if (connection.direction === 'inbound') welcome(connection);
  };
  const onClose = ({ detail: connection }: CustomEvent<Connection>) => {
    guests.get(connection.id)?.attention.unsubscribe();
    guests.delete(connection.id);
  };

  libp2p.addEventListener('connection:open', onOpen);
  libp2p.addEventListener('connection:close', onClose);
  for (const [method, how] of servedMethods(profile, self)) {
    await libp2p.handle(protocolId(method), ({ stream, connection }) => {
      serve(method, how, stream, connection).catch(report(connection, method));
    });
  }

  return () => {
    stopping.abort(new Error('the node is stopping'));
    libp2p.removeEventListener('connection:open', onOpen);
    libp2p.removeEventListener('connection:close', onClose);
    for (const { attention } of guests.values()) attention.unsubscribe();
    guests.clear();
  };
}
