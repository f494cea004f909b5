import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type ForkedDevnet, forkDevnet } from '../../src/devnet/fork.ts';
import { CLI } from '../support/e2e/valtrack.ts';
import { tempDir } from '../support/temp-dir.ts';

/** What somebody at a terminal sees, through a pseudo-terminal that `script` makes. */

const CTRL_C = '\u0003';
const HIDE_CURSOR = '\u001b[?25l';
const SHOW_CURSOR = '\u001b[?25h';
const ESCAPE = '\u001b';

let folder: Awaited<ReturnType<typeof tempDir>>;
let small: ForkedDevnet;
beforeAll(async () => {
  folder = await tempDir();
  small = await forkDevnet({ nodes: 3, seed: 1, slotMs: 250, dir: join(folder.path, 'small') });
});
afterAll(async () => {
  await small.stop();
  await folder.remove();
});

interface Terminal {
  seen(): string;
  type(text: string): void;
  /** Everything up to the end, and the exit code. */
  readonly closed: Promise<number>;
}

function kept(...names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, process.env[name] ?? '']));
}

function terminal(columns: number, env: Record<string, string>, args: readonly string[]): Terminal {
  const command = `stty cols ${columns} rows 24; exec ${[process.execPath, CLI, ...args].join(' ')}`;
  const child = spawn('script', ['--quiet', '--return', '--flush', '--command', command, '/dev/null'], {
    stdio: 'pipe',
    env: { ...kept('PATH', 'NODE_COMPILE_CACHE'), HOME: folder.path, TERM: 'xterm-256color', ...env },
  });
  let seen = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    seen += chunk;
  });
  return {
    seen: () => seen,
    type: (text) => void child.stdin.write(text),
    closed: once(child, 'close').then(([code]) => Number(code)),
  };
}

function runOn(...network: string[]): string[] {
  const dataDir = join(folder.path, crypto.randomUUID());
  return ['run', '--network', ...network, '--data-dir', dataDir, '--http-port', '0'];
}

async function crawlUntilObserved(screen: Terminal, nodes: number): Promise<void> {
  await vi.waitFor(
    () => expect(stripVTControlCharacters(screen.seen())).toContain(`${nodes} of ${nodes} devnet nodes observed`),
    { timeout: 90_000, interval: 100 },
  );
}

describe('run on a terminal', () => {
  it('shows 50 of 50 devnet nodes observed within 90 seconds, and a summary on Ctrl-C within 5', async () => {
    const screen = terminal(80, {}, runOn('devnet', '--nodes', '50'));
    await crawlUntilObserved(screen, 50);
    const url = /http:\/\/127\.0\.0\.1:\d+\/validators/.exec(stripVTControlCharacters(screen.seen()))?.[0];
    await vi.waitFor(async () => expect(((await (await fetch(String(url))).json()) as unknown[]).length).toBe(50), {
      timeout: 10_000,
      interval: 100,
    });
    const stoppedAtMs = Date.now();
    screen.type(CTRL_C);
    expect(await screen.closed).toBe(0);
    expect(Date.now() - stoppedAtMs).toBeLessThan(5_000);

    const all = screen.seen();
    expect(all).toContain(HIDE_CURSOR);
    expect(all.lastIndexOf(SHOW_CURSOR)).toBeGreaterThan(all.lastIndexOf(HIDE_CURSOR));
    const [, summary = ''] = stripVTControlCharacters(all).split('valtrack stopped after ');
    expect(summary).toContain("Against the devnet's truth: 50 of 50 nodes observed");
    expect(summary).toMatch(/published rule +[\d,]+ +\d+\.\d %/);
    // The block is gone when the summary comes.
    expect(summary).not.toContain('Ctrl-C');
    expect(all).toContain(`${ESCAPE}[32m`);
  }, 120_000);

  it('has no colours with NO_COLOR, and gives the cursor back when forced', async () => {
    const screen = terminal(60, { NO_COLOR: '1' }, runOn(small.networkPath));
    await crawlUntilObserved(screen, 3);
    screen.type(CTRL_C + CTRL_C);
    expect([0, 130]).toContain(await screen.closed);
    const all = screen.seen();
    expect(all.lastIndexOf(SHOW_CURSOR)).toBeGreaterThan(all.lastIndexOf(HIDE_CURSOR));
    expect(all.split(ESCAPE).filter((rest) => /^\[[\d;]*m/.test(rest))).toEqual([]);
  }, 60_000);

  it('writes plain lines and nothing that moves with TERM=dumb', async () => {
    const screen = terminal(80, { TERM: 'dumb' }, runOn(small.networkPath));
    await crawlUntilObserved(screen, 3);
    screen.type(CTRL_C);
    expect(await screen.closed).toBe(0);
    expect(screen.seen()).not.toContain(ESCAPE);
    expect(screen.seen()).toContain('valtrack stopped after ');
  }, 60_000);
});
