import type { Connection, Stream } from '@libp2p/interface';
import type { ClientProfile } from './clients.ts';
import type { Behaviour } from './faults.ts';
import { type Lie, lieOf } from './hostile-answers.ts';
import type { Libp2pHost } from './libp2p.ts';
import { type Self, servedMethods } from './methods.ts';
import { type Answer, answer, answerWith, type Method, protocolId, refuse } from './reqresp.ts';

export type MethodName = 'status' | 'metadata' | 'ping' | 'goodbye';

/** What a node has to say about the requests of its peers. */
export interface Host {
  /** Before a request is read: the result code by which it is refused, or `null`. */
  admit(name: MethodName, connection: Connection): number | null;
  /** A request has been refused. */
  refused(name: MethodName, connection: Connection): Promise<void>;
  /** How long until a request is read, for clients that are slow at it in a way that matters. */
  hesitate(name: MethodName, connection: Connection): Promise<void> | null;
  /** A request has been read, and is about to be answered. */
  received(name: MethodName, body: Buffer, connection: Connection): void;
  /** A request has been answered. */
  answered(name: MethodName, body: Buffer, connection: Connection): Promise<void>;
  /** A request could not be read, or not be answered. */
  failed(name: MethodName, error: unknown, connection: Connection, wasRead: boolean): void;
}

export interface ServingOptions {
  readonly libp2p: Libp2pHost['libp2p'];
  readonly behaviour: Behaviour;
  readonly profile: ClientProfile;
  readonly self: Self;
  readonly signal: AbortSignal;
  readonly host: Host;
}

/** Serves the client's methods, as far as a node's fault lets it. */
export async function serveMethods({ libp2p, behaviour, profile, self, signal, host }: ServingOptions): Promise<void> {
  const serve = async (method: Method, how: Answer, stream: Stream, connection: Connection) => {
    const name = nameOf(method);
    const lie = behaviour === 'honest' ? undefined : lieOf(behaviour, name);
    let wasRead = false;
    try {
      if (lie !== undefined) return await play(lie, how, stream, signal);
      const code = host.admit(name, connection);
      if (code !== null) {
        await refuse(stream, code, 'rate limited', signal);
        return await host.refused(name, connection);
      }
      await host.hesitate(name, connection);
      const body = await answer(stream, how, signal, (read) => {
        wasRead = true;
        host.received(name, read, connection);
      });
      await host.answered(name, body, connection);
    } catch (error) {
      host.failed(name, error, connection, wasRead || lie !== undefined);
    }
  };
  for (const [method, how] of servedMethods(profile, self)) {
    await libp2p.handle(protocolId(method), ({ stream, connection }) => void serve(method, how, stream, connection));
  }
}

function nameOf(method: Method): MethodName {
  const [name = ''] = method.split('/');
  return name as MethodName;
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
