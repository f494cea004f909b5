import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { endProcess, launchNats } from './nats-process.ts';
import { tempDir } from './temp-dir.ts';

/** A real nats-server with JetStream on a free loopback port, its files in a temporary folder. */
export interface TestNatsServer {
  readonly url: string;
  readonly port: number;
  /** Where it keeps its files. */
  readonly storeDir: string;
  /** Of the process that runs now. */
  readonly pid: number;
  /** Ends the process, as a crash would with SIGKILL; its files stay. */
  kill(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  /** Starts it again on the same port, with the same files. */
  start(): Promise<void>;
  /** Starts it again on the same port, with no files, as after the loss of its disk. */
  startEmpty(): Promise<void>;
  /** Ends the process and removes the files. */
  dispose(): Promise<void>;
}

export interface TestNatsServerOptions {
  readonly jetstream?: boolean;
  readonly login?: { readonly user: string; readonly pass: string };
}

export async function startNatsServer({
  jetstream = true,
  login,
}: TestNatsServerOptions = {}): Promise<TestNatsServer> {
  const dir = await tempDir();
  const options = [
    ...(jetstream ? ['--jetstream', '--store_dir', dir.path] : []),
    ...(login ? ['--user', login.user, '--pass', login.pass] : []),
  ];
  const at = (port: string) => launchNats(['--addr', '127.0.0.1', '--port', port, ...options]);
  let { child, port } = await at('-1');
  const kill = (signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM') => endProcess(child, signal);

  async function start(): Promise<void> {
    ({ child } = await at(String(port)));
  }

  return {
    port,
    storeDir: dir.path,
    get pid() {
      return child.pid ?? 0;
    },
    url: `nats://127.0.0.1:${port}`,
    kill,
    start,
    async startEmpty() {
      await rm(join(dir.path, 'jetstream'), { recursive: true, force: true });
      await start();
    },
    async dispose() {
      await kill('SIGKILL');
      await dir.remove();
    },
  };
}
