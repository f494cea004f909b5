import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** A nats-server process with these arguments, resolved when it says that it is ready, with the port it says it listens on. */
export async function launchNats(args: readonly string[]): Promise<{ child: ChildProcess; port: number }> {
  const child = spawn('nats-server', args, { stdio: ['ignore', 'ignore', 'pipe'] });
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

/** Ends a process that may have ended already. */
export async function endProcess(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill(signal);
  await exited;
}
