import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type ForkedDevnet, forkDevnet } from '../../src/devnet/fork.ts';
import type { DevnetFile } from '../../src/devnet/network-file.ts';
import { quietNetwork } from '../support/e2e/quiet-network.ts';
import { valtrack } from '../support/e2e/valtrack.ts';
import { startNatsServer } from '../support/nats-server.ts';
import { tempDir } from '../support/temp-dir.ts';

/** How the program begins, says how it is, and ends. */

const NODES = 3;
const WAIT = { timeout: 20_000, interval: 100 };
/** Ctrl-C must not be waited for. */
const STOP_MS = 5_000;

const DEVNET = { nodes: NODES, slotMs: 100, seed: 3 };

let folder: Awaited<ReturnType<typeof tempDir>>;
/** For programs that do not start one themselves. */
let running: ForkedDevnet;
beforeAll(async () => {
  folder = await tempDir();
  running = await forkDevnet({ ...DEVNET, dir: join(folder.path, 'running') });
});
afterAll(async () => {
  await running.stop();
  await folder.remove();
});

const onData = (...more: string[]): string[] => [...more, '--data-dir', join(folder.path, crypto.randomUUID())];
function onDevnet(...more: string[]): string[] {
  const { nodes, slotMs, seed } = DEVNET;
  const devnet = ['--network', 'devnet', '--nodes', String(nodes), '--slot-ms', String(slotMs), '--seed', String(seed)];
  return onData(...more, ...devnet);
}
const onRunning = (...more: string[]): string[] => onData(...more, '--network', running.networkPath);

const isAllObserved = ({ msg }: { msg: string }) => msg === `${NODES} of ${NODES} devnet nodes observed`;

describe('run --network devnet', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)(
    'ends on %s in time, with a summary, and leaves nothing behind',
    async (signal) => {
      const run = valtrack(onDevnet('run', '--http-port', '0'));
      await run.line(isAllObserved);
      const devnetDir = String(run.log.find(({ msg }) => msg === 'starting a devnet on loopback')?.['dir']);
      expect(existsSync(join(devnetDir, 'network.json'))).toBe(true);
      const truth = JSON.parse(await readFile(join(devnetDir, 'network.json'), 'utf8')) as DevnetFile;
      const validators = truth.nodes.reduce((sum, node) => sum + node.validators, 0);
      // What was observed is in the view a moment later.
      const rows = await vi.waitFor(async () => {
        const answer = (await (await fetch(`${await run.url()}/validators`)).json()) as {
          max_validator_count: number;
        }[];
        expect(answer).toHaveLength(NODES);
        return answer;
      });

      const stoppedAtMs = Date.now();
      expect(await run.stop(signal)).toBe(0);
      expect(Date.now() - stoppedAtMs).toBeLessThan(STOP_MS);
      expect(run.log).toContainEqual(expect.objectContaining({ msg: 'stopping', reason: signal }));
      const summary = run.stdout();
      expect(summary).toMatch(
        /^valtrack stopped after 00:\d\d on devnet\.\n3 peers are known; \d+ observations were made, /,
      );
      expect(summary).toMatch(/client +nodes +observations +published count +estimate\n/);
      expect(summary).toMatch(/3 of 3 nodes observed, each \d+\.\d times on average/);
      expect(/truth +([\d,]+)/.exec(summary)?.[1]).toBe(validators.toLocaleString('en-US'));
      const [, published] = /published rule +([\d,]+)/.exec(summary) ?? [];
      expect(Number(published?.replaceAll(',', ''))).toBeGreaterThanOrEqual(
        rows.reduce((sum, row) => sum + row.max_validator_count, 0),
      );
      expect(run.said).toEqual([]);
      expect(existsSync(devnetDir)).toBe(false);
    },
  );

  it('is forced by a second signal', async () => {
    // With events on disk that nobody takes, the end waits two seconds for somebody.
    const sentry = valtrack(onRunning('sentry', '--nats-url', 'nats://127.0.0.1:1'));
    await sentry.line(isAllObserved);
    sentry.child.kill('SIGINT');
    const stoppingMs = Number((await sentry.line(({ msg }) => msg === 'stopping'))['time']);
    // What comes within a tenth of a second counts as the same Ctrl-C.
    await vi.waitFor(() => expect(Date.now()).toBeGreaterThan(stoppingMs + 100), WAIT);
    expect(await sentry.stop('SIGINT')).toBe(130);
    expect(sentry.said).toEqual(['valtrack: forced to stop; the next start goes on where this one was cut off']);
  });

  it('takes a signal that comes twice at once, as through npm, for one', async () => {
    const run = valtrack(onRunning('run', '--http-port', '0'));
    await run.line(({ msg }) => msg === 'crawling');
    run.child.kill('SIGINT');
    expect(await run.stop('SIGTERM')).toBe(0);
    expect(run.said).toEqual([]);
    expect(run.stdout()).toMatch(/^valtrack stopped after /);
  });

  it('can be stopped while it is still starting', async () => {
    const run = valtrack(onDevnet('run', '--http-port', '0'));
    const { dir } = await run.line(({ msg }) => msg === 'starting a devnet on loopback');
    expect(await run.stop('SIGINT')).toBe(0);
    expect(run.log).toContainEqual(
      expect.objectContaining({ msg: 'stopping before everything was started', reason: 'SIGINT' }),
    );
    expect(run.said).toEqual([]);
    expect(existsSync(String(dir))).toBe(false);
  });

  it('ends by itself after --for', async () => {
    const run = valtrack(onRunning('--for', '2s', 'run', '--http-port', '0'));
    expect(await run.exited).toBe(0);
    const [crawling, stopping] = ['crawling', 'stopping'].map((msg) => run.log.find((line) => line.msg === msg));
    expect(stopping).toMatchObject({ reason: 'the time is up' });
    const crawledMs = Number(stopping?.['time']) - Number(crawling?.['time']);
    expect(crawledMs).toBeGreaterThanOrEqual(1_900);
    expect(crawledMs).toBeLessThan(6_000);
    expect(run.stdout()).toMatch(/^valtrack stopped after /);
  });

  it('takes its options from the environment and the example of a config file as well', async () => {
    const example = new URL('../../examples/config.yaml', import.meta.url).pathname;
    const env = { VALTRACK_HTTP_PORT: '0', VALTRACK_DATA_DIR: join(folder.path, 'env'), VALTRACK_NODES: '2' };
    const run = valtrack(['run', '--config', example, '--network', 'devnet'], { env });
    expect(await run.line(({ msg }) => msg === 'starting a devnet on loopback')).toMatchObject({
      nodes: 2,
      slotMs: 250,
    });
    await run.line(({ msg }) => msg === 'crawling');
    expect(existsSync(join(folder.path, 'env', 'identity'))).toBe(true);
    expect(await run.stop()).toBe(0);
  });
});

describe('devnet', () => {
  it('prints one JSON line, and its network.json is what run crawls', async () => {
    const dir = join(folder.path, 'devnet');
    const devnet = valtrack(['devnet', '--nodes', '3', '--seed', '5', '--dir', dir]);
    const ready = await vi.waitFor(() => JSON.parse(devnet.stdout()) as Record<string, unknown>, WAIT);
    expect(ready).toMatchObject({ ready: true, network: join(dir, 'network.json'), nodes: 3 });
    expect(ready['bootnodes']).toEqual([expect.stringMatching(/^enr:/), expect.anything(), expect.anything()]);
    const dataDir = join(folder.path, 'devnet-data');
    const run = valtrack(['run', '--network', join(dir, 'network.json'), '--data-dir', dataDir, '--http-port', '0']);
    await run.line(({ msg }) => msg === '3 of 3 devnet nodes observed');
    expect(await run.stop()).toBe(0);
    expect(await devnet.stop('SIGINT')).toBe(0);
    expect(devnet.stdout().trim().split('\n')).toHaveLength(1);
  });
});

describe('/readyz', () => {
  async function readiness(url: string) {
    const response = await fetch(`${url}/readyz`);
    return { status: response.status, ...((await response.json()) as { ready: boolean; reasons: string[] }) };
  }

  it('tells when nobody has been observed for two epochs', async () => {
    const network = await quietNetwork(folder.path, { slot_ms: 50 });
    const dataDir = join(folder.path, 'quiet');
    const run = valtrack(['run', '--network', network, '--data-dir', dataDir, '--http-port', '0']);
    const url = await run.url();
    expect(await readiness(url)).toEqual({ status: 200, ready: true, reasons: [] });
    await vi.waitFor(
      async () =>
        expect(await readiness(url)).toEqual({
          status: 503,
          ready: false,
          reasons: [
            expect.stringMatching(/^no peer has been observed for 00:\d\d, more than 2 epochs; look at the failures$/),
          ],
        }),
      { timeout: 15_000, interval: 200 },
    );
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    expect(await run.stop()).toBe(0);
  });

  it('tells when NATS is away, and when it is back', async () => {
    const nats = await startNatsServer();
    try {
      const dataDir = join(folder.path, 'consumer');
      const consumer = valtrack(['consumer', '--nats-url', nats.url, '--data-dir', dataDir, '--http-port', '0']);
      const url = await consumer.url();
      // It serves at once, and is ready when it has the durable.
      await vi.waitFor(
        async () => expect(await readiness(url)).toEqual({ status: 200, ready: true, reasons: [] }),
        WAIT,
      );
      await nats.kill();
      await vi.waitFor(
        async () =>
          expect(await readiness(url)).toEqual({
            status: 503,
            ready: false,
            reasons: [`not connected to NATS at 127.0.0.1:${nats.port}; trying again`],
          }),
        WAIT,
      );
      await nats.start();
      await vi.waitFor(async () => expect((await readiness(url)).reasons).toEqual([]), {
        timeout: 15_000,
        interval: 100,
      });
      expect(await consumer.stop()).toBe(0);
    } finally {
      await nats.dispose();
    }
  });
});
