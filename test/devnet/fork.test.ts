import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { forkDevnet } from '../../src/devnet/fork.ts';
import { tempDir } from '../support/temp-dir.ts';

let dir: Awaited<ReturnType<typeof tempDir>>;
beforeEach(async () => {
  dir = await tempDir();
});
afterEach(async () => {
  await dir.remove();
});

/** Whether anything listens at an address such as /ip4/127.20.0.1/tcp/9000/p2p/…. */
async function listens(address: string): Promise<boolean> {
  const [, , host, , port] = address.split('/');
  const socket = connect({ host: host ?? '', port: Number(port) });
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

describe('a devnet in a process of its own', () => {
  it('is there after starting and gone after stopping', async () => {
    const devnet = await forkDevnet({ nodes: 3, seed: 1, slotMs: 250, dir: dir.path, recordSubscriptions: true });
    const address = devnet.network.nodes[2]?.multiaddrs[0] ?? '';
    expect(JSON.parse(await readFile(devnet.networkPath, 'utf8'))).toEqual(devnet.network);
    expect(await listens(address)).toBe(true);
    await devnet.stop();
    expect(await listens(address)).toBe(false);
    const lines = (await readFile(`${dir.path}/subscriptions.ndjson`, 'utf8')).split('\n').slice(0, -1);
    expect(new Set(lines.map((line) => JSON.parse(line).peer_id)).size).toBe(3);
  });

  it('can be told of forks and of faults', async () => {
    const forkIn = { regularAtEpoch: 200, blobAtEpoch: 300 };
    const devnet = await forkDevnet({ nodes: 70, seed: 1, slotMs: 250, dir: dir.path, faults: true, forkIn });
    await devnet.stop();
    expect(devnet.network.forks.at(-1)?.epoch).toBe(200);
    expect(devnet.network.blob_schedule.at(-1)?.epoch).toBe(300);
    expect(devnet.network.nodes.filter((node) => node.behaviour !== 'honest').length).toBe(26);
  });

  it('says why it could not start', async () => {
    await expect(forkDevnet({ nodes: -1, seed: 1, slotMs: 250, dir: dir.path })).rejects.toThrow(
      /1 to \d+ nodes, not -1/,
    );
  });

  it('can be ended while it starts, and writes nothing any more', async () => {
    const ending = new AbortController();
    const options = { nodes: 50, seed: 1, slotMs: 250, dir: dir.path };
    const starting = forkDevnet(options, undefined, ending.signal);
    ending.abort();
    await expect(starting).rejects.toThrow('ended before it had started');
    await expect(forkDevnet(options, undefined, ending.signal)).rejects.toThrow('ended before it had started');
    expect(await readdir(dir.path)).toEqual([]);
  });

  it('ends when its parent is killed', async () => {
    const script = fileURLToPath(new URL('../support/devnet/orphan-parent.ts', import.meta.url));
    const parent = spawn(process.execPath, [script, dir.path], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = await once(parent.stdout.setEncoding('utf8'), 'data');
    const address = String(line).trim();
    expect(await listens(address)).toBe(true);
    parent.kill('SIGKILL');
    await once(parent, 'exit');
    await vi.waitFor(async () => expect(await listens(address)).toBe(false), { timeout: 10_000 });
  });

  it('leaves it to its parent when to end, though a signal reaches the whole group', async () => {
    const child = fork(fileURLToPath(new URL('../../src/devnet/child.ts', import.meta.url)));
    const exited = once(child, 'exit');
    child.send({ kind: 'start', options: { nodes: 1, seed: 1, slotMs: 250, dir: dir.path } });
    const [{ kind }] = await once(child, 'message');
    expect(kind).toBe('started');
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) child.kill(signal);
    child.disconnect();
    expect(await exited).toEqual([0, null]);
  });
});

describe('a devnet in this process', () => {
  it('leaves nothing behind that keeps the process alive', async () => {
    const module = new URL('../../src/devnet/devnet.ts', import.meta.url).href;
    const script = `
      const { startDevnet } = await import('${module}');
      const devnet = await startDevnet({ nodes: 5, seed: 1, slotMs: 50, dir: process.argv[1], recordSubscriptions: true });
      await devnet.stop();`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script, dir.path], { stdio: 'inherit' });
    const [code] = await once(child, 'exit');
    expect(code).toBe(0);
  });
});
