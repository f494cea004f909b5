import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { connect, type JetStreamManager } from 'nats';
import { defer, firstValueFrom, retry, timeout, timer } from 'rxjs';
import { endProcess, launchNats } from './nats-process.ts';
import { tempDir } from './temp-dir.ts';

/** Some nats-servers on loopback that form one JetStream cluster, their files in a temporary folder. */
export interface TestNatsCluster {
  /** All servers, with commas between them. */
  readonly url: string;
  readonly servers: readonly TestClusterServer[];
  /** The server that leads a stream at this moment, waited for while there is none. */
  leaderOf(stream: string): Promise<TestClusterServer>;
  dispose(): Promise<void>;
}

export interface TestClusterServer {
  /** As it calls itself in the answers about streams. */
  readonly name: string;
  readonly url: string;
  readonly pid: number | undefined;
  /** Ends the process, with SIGKILL if not said otherwise; its files stay. */
  kill(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  /** Starts it again on the same ports, with the same files; kills it first if it runs. Resolves when it listens. */
  restart(): Promise<void>;
}

const CLUSTER_NAME = 'valtrack-test';
const READY_MS = 30_000;
const RETRY_MS = 100;

/** Resolves when the cluster has elected who leads it, and takes requests for JetStream. */
export async function startCluster(size: number): Promise<TestNatsCluster> {
  const dir = await tempDir();
  const ports = await freePorts(2 * size);
  const clientPorts = ports.slice(0, size);
  const routes = ports.slice(size).map((port) => `nats-route://127.0.0.1:${port}`);
  const url = clientPorts.map((port) => `nats://127.0.0.1:${port}`).join(',');
  const servers: TestClusterServer[] = [];
  const dispose = async () => {
    await Promise.all(servers.map((server) => server.kill('SIGKILL')));
    await dir.remove();
  };
  try {
    for (const [index, port] of clientPorts.entries()) {
      const name = `n${index + 1}`;
      const config = join(dir.path, `${name}.conf`);
      await writeFile(
        config,
        configOf({ name, port, storeDir: join(dir.path, name), route: ports[size + index] ?? 0, routes }),
      );
      servers.push(await startServer(name, port, config));
    }
    await asked(url, async (jsm) => jsm.getAccountInfo());
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    url,
    servers,
    async leaderOf(stream) {
      return asked(url, async (jsm) => {
        const { cluster } = await jsm.streams.info(stream);
        const leader = servers.find(({ name }) => name === cluster?.leader);
        if (leader === undefined) throw new Error(`nobody leads the stream ${stream}`);
        return leader;
      });
    },
    dispose,
  };
}

async function startServer(name: string, port: number, config: string): Promise<TestClusterServer> {
  const launch = () => launchNats(['--config', config]);
  let { child } = await launch();
  const kill = (signal: 'SIGTERM' | 'SIGKILL' = 'SIGKILL') => endProcess(child, signal);
  return {
    name,
    url: `nats://127.0.0.1:${port}`,
    get pid() {
      return child.pid;
    },
    kill,
    async restart() {
      await kill();
      ({ child } = await launch());
    },
  };
}

interface ServerConfig {
  readonly name: string;
  readonly port: number;
  readonly storeDir: string;
  readonly route: number;
  readonly routes: readonly string[];
}

function configOf({ name, port, storeDir, route, routes }: ServerConfig): string {
  return `
server_name: ${name}
listen: 127.0.0.1:${port}
jetstream { store_dir: ${JSON.stringify(storeDir)}, max_mem: 64MB, max_file: 1GB }
cluster { name: ${CLUSTER_NAME}, listen: 127.0.0.1:${route}, routes: [${routes.join(', ')}] }
`;
}

/** Asks whichever server answers, again and again while there is no answer. */
async function asked<T>(url: string, question: (jsm: JetStreamManager) => Promise<T>): Promise<T> {
  const ask = async () => {
    const connection = await connect({ servers: url.split(','), timeout: 2_000, maxReconnectAttempts: 0 });
    try {
      return await question(await connection.jetstreamManager({ checkAPI: false, timeout: 2_000 }));
    } finally {
      await connection.close();
    }
  };
  return firstValueFrom(defer(ask).pipe(retry({ delay: () => timer(RETRY_MS) }), timeout(READY_MS)));
}

/** Ports that were free a moment ago; all held at once, so that no two are the same. */
async function freePorts(count: number): Promise<number[]> {
  const listening = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return server;
    }),
  );
  const ports = listening.map((server) => (server.address() as { port: number }).port);
  await Promise.all(listening.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
