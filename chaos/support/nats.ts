import type { ChildProcess } from 'node:child_process';
import { rm } from 'node:fs/promises';
import {
  AckPolicy,
  connect,
  type JetStreamManager,
  type NatsConnection,
  nanos,
  RetentionPolicy,
  StorageType,
} from 'nats';
import { endProcess, launchNats } from '../../test/support/nats-process.ts';

/** A nats-server with JetStream on loopback that can be killed, started again, and started again with nothing. */
export interface NatsServer {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  kill(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  /** On the same port, with the same files. */
  start(): Promise<void>;
  /** Removes the files of the stopped server. */
  wipe(): Promise<void>;
}

const STREAM = 'EVENTS';
/** What `valtrack` calls its durable. */
export const DURABLE = 'consumer-valtrack';

export async function startNats(storeDir: string): Promise<NatsServer> {
  const at = (port: string) =>
    launchNats(['--addr', '127.0.0.1', '--port', port, '--jetstream', '--store_dir', storeDir]);
  const first = await at('-1');
  let child: ChildProcess = first.child;
  const { port } = first;
  return {
    url: `nats://127.0.0.1:${port}`,
    port,
    get pid() {
      return child.pid ?? 0;
    },
    kill: (signal) => endProcess(child, signal),
    async start() {
      ({ child } = await at(String(port)));
    },
    wipe: () => rm(storeDir, { recursive: true, force: true }),
  };
}

/** The harness' own look at JetStream, over a connection that comes back by itself. */
export interface StreamWatch {
  /** Messages that some durable has still to acknowledge. */
  held(): Promise<number>;
  lastSequence(): Promise<number>;
  replicas(): Promise<number>;
  /** Of the durable: what was delivered and not acknowledged, and what was delivered more than once. */
  durable(): Promise<{ unacknowledged: number; redelivered: number; waiting: number }>;
  /** Removes all messages, read or not; resolves to their number. */
  purge(): Promise<number>;
  readonly connection: NatsConnection;
  close(): Promise<void>;
}

export async function watchStream(url: string): Promise<StreamWatch> {
  const connection = await connect({
    servers: url.split(','),
    maxReconnectAttempts: -1,
    reconnectTimeWait: 100,
    name: 'chaos',
    noAsyncTraces: true,
  });
  const jsm: JetStreamManager = await connection.jetstreamManager({ checkAPI: false, timeout: 2_000 });
  return {
    connection,
    held: async () => (await jsm.streams.info(STREAM)).state.messages,
    lastSequence: async () => (await jsm.streams.info(STREAM)).state.last_seq,
    replicas: async () => (await jsm.streams.info(STREAM)).config.num_replicas,
    purge: async () => (await jsm.streams.purge(STREAM)).purged,
    async durable() {
      const { num_ack_pending, num_redelivered, num_pending } = await jsm.consumers.info(STREAM, DURABLE);
      return { unacknowledged: num_ack_pending, redelivered: num_redelivered, waiting: num_pending };
    },
    close: () => connection.close(),
  };
}

/**
 * Makes stream and durable as an operator may have done beforehand: with an ack wait of its own, so that what a killed
 * consumer had taken comes back sooner, and is met more often; and with more subjects than valtrack knows.
 */
export async function prepareStream(
  { connection }: StreamWatch,
  {
    ackWaitMs,
    subjects = ['events.peer_discovered', 'events.metadata_received'],
  }: { ackWaitMs: number; subjects?: string[] },
): Promise<void> {
  const jsm = await connection.jetstreamManager({ checkAPI: false });
  await jsm.streams.add({ name: STREAM, subjects, retention: RetentionPolicy.Interest, storage: StorageType.File });
  await jsm.consumers.add(STREAM, {
    durable_name: DURABLE,
    ack_policy: AckPolicy.Explicit,
    ack_wait: nanos(ackWaitMs),
  });
}
