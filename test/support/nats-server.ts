import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { tempDir } from './temp-dir.ts';

/** A real nats-server with JetStream on a free loopback port, its files in a temporary folder. */
export interface TestNatsServer {
  readonly url: string;
  readonly port: number;
  /** Ends the process, as a crash would with SIGKILL; its files stay. */
  kill(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  /** Starts it again on the same port, with the same files. */
  start(): Promise<void>;
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
  let { child, port } = await launch('-1', options);

  async function kill(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }

  return {
    port,
    url: `nats://127.0.0.1:${port}`,
    kill,
    async start() {
      ({ child } = await launch(String(port), options));
    },
    async dispose() {
      await kill('SIGKILL');
      await dir.remove();
    },
  };
}

/** Resolves when the server says that it is ready, with the port it says it listens on. */
async function launch(port: string, options: readonly string[]): Promise<{ child: ChildProcess; port: number }> {
  const child = spawn('nats-server', ['--addr', '127.0.0.1', '--port', port, ...options], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const killWithUs = () => child.kill('SIGKILL');
  process.once('exit', killWithUs);
  child.once('exit', () => process.off('exit', killWithUs));
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stderr })) {
    lines.push(line);
    if (!line.includes('Server is ready')) continue;
    child.stderr.resume();
    const listening = lines.map((text) => /client connections on 127\.0\.0\.1:(\d+)/.exec(text)?.[1]).find(Boolean);
    return { child, port: Number(listening) };
  }
  throw new Error(`nats-server did not start:\n${lines.join('\n')}`);
}
