import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { connect as natsConnection } from 'nats';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type ForkedDevnet, forkDevnet } from '../../src/devnet/fork.ts';
import { openSqlite } from '../../src/io/storage/sqlite/sqlite.ts';
import { quietNetwork } from '../support/e2e/quiet-network.ts';
import { type Valtrack, valtrack } from '../support/e2e/valtrack.ts';
import { startNatsServer } from '../support/nats-server.ts';
import { tempDir } from '../support/temp-dir.ts';

/** The end, however it comes: in time, with the right exit code, and saying what is left. */

const NODES = 3;
/** What `docs/operations.md` states. */
const STOP_WITHIN_MS = 10_000;

let folder: Awaited<ReturnType<typeof tempDir>>;
let devnet: ForkedDevnet;
let quiet: string;
/** Takes its time, in which the other tests are made. */
let givenUp: Promise<void>;
beforeAll(async () => {
  folder = await tempDir();
  givenUp = consumerGivesUp();
  // The test that awaits it is told.
  givenUp.catch(() => undefined);
  quiet = await quietNetwork(folder.path);
  devnet = await forkDevnet({ nodes: NODES, seed: 5, slotMs: 100, dir: folder.path });
});
afterAll(async () => {
  await givenUp.catch(() => undefined);
  await devnet.stop();
  await folder.remove();
});

function dataDir(): string {
  return join(folder.path, crypto.randomUUID());
}

function sentryOn(natsUrl: string, dir: string): Valtrack {
  return valtrack(['sentry', '--nats-url', natsUrl, '--network', devnet.networkPath, '--data-dir', dir]);
}

function quietRun(options: Parameters<typeof valtrack>[1] = {}, dir = dataDir()): Valtrack {
  return valtrack(['run', '--network', quiet, '--data-dir', dir, '--http-port', '0'], options);
}

/** Events that no acknowledged publication has taken off the spool, counted without our log. */
async function unpublished(dir: string): Promise<number> {
  const database = await openSqlite(join(dir, 'sentry.sqlite'), { readOnly: true });
  const row = await database.get<{ events: number }>(
    `SELECT count(*) AS events FROM event_log_entries
     WHERE position > (SELECT cursor FROM event_log_durables WHERE name = 'forwarder')`,
  );
  await database.close();
  return row?.events ?? -1;
}

async function stopInTime(program: Valtrack, signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
  const sinceMs = Date.now();
  const code = await program.stop(signal);
  expect(Date.now() - sinceMs).toBeLessThan(STOP_WITHIN_MS);
  return code;
}

async function expectSaysWhatIsLeft(sentry: Valtrack, dir: string): Promise<void> {
  const left = await unpublished(dir);
  expect(left).toBeGreaterThanOrEqual(2 * NODES);
  const sentence = `${left.toLocaleString('en')} events wait in the spool for NATS; they are published after the next start`;
  expect(sentry.log).toContainEqual(expect.objectContaining({ level: 40, msg: sentence, events: left }));
  expect(sentry.stdout()).toContain(`${sentence}.\n`);
}

/** A consumer one part of which fails until it is given up: each restart waits twice as long as the one before. */
async function consumerGivesUp(): Promise<void> {
  const nats = await startNatsServer();
  try {
    const args = ['consumer', '--nats-url', nats.url, '--data-dir', dataDir(), '--http-port', '0'];
    const consumer = valtrack(args);
    const url = await consumer.url();
    // Somebody puts another kind of stream in the place of ours.
    const connection = await natsConnection({ servers: nats.url });
    const { streams } = await connection.jetstreamManager();
    await streams.delete('EVENTS');
    await streams.add({ name: 'EVENTS', subjects: ['other.>'] });
    await connection.close();
    await vi.waitFor(async () => {
      const { reasons } = (await (await fetch(`${url}/readyz`)).json()) as { reasons: string[] };
      expect(reasons.join()).toMatch(/^the consumer has failed and is started again: .*EVENTS/);
    });
    expect(await consumer.exited).toBe(1);
    expect(consumer.said).toEqual([
      expect.stringMatching(/^valtrack: the consumer failed 5 times within 10 minutes, the last time with: .*EVENTS/),
    ]);
  } finally {
    await nats.dispose();
  }
}

describe('SIGTERM', () => {
  it('while NATS is away ends a sentry with 0 in time, and says how many events wait on disk', async () => {
    const nats = await startNatsServer();
    await nats.kill();
    const dir = dataDir();
    try {
      const sentry = sentryOn(nats.url, dir);
      // Each node is announced and observed.
      await vi.waitFor(async () => expect(await unpublished(dir)).toBeGreaterThanOrEqual(2 * NODES), {
        timeout: 20_000,
      });
      expect(await stopInTime(sentry)).toBe(0);
      expect(sentry.log).toContainEqual(expect.objectContaining({ msg: 'stopping', withinMs: STOP_WITHIN_MS }));
      await expectSaysWhatIsLeft(sentry, dir);

      await nats.start();
      const next = sentryOn(nats.url, dir);
      await vi.waitFor(async () => expect(await unpublished(dir)).toBe(0), { timeout: 20_000 });
      expect(await stopInTime(next)).toBe(0);
      expect(await unpublished(dir)).toBe(0);
    } finally {
      await nats.dispose();
    }
  }, 60_000);

  it('while NATS hangs ends a sentry with 0 in time, and says how many events wait on disk', async () => {
    const nats = await startNatsServer();
    const dir = dataDir();
    try {
      const sentry = sentryOn(nats.url, dir);
      await sentry.line(({ msg }) => msg === 'connected to NATS');
      await sentry.line(({ msg }) => msg === 'crawling');
      process.kill(nats.pid, 'SIGSTOP');
      await vi.waitFor(async () => expect(await unpublished(dir)).toBeGreaterThanOrEqual(2 * NODES), {
        timeout: 20_000,
      });
      expect(await stopInTime(sentry)).toBe(0);
      await expectSaysWhatIsLeft(sentry, dir);
    } finally {
      await nats.dispose();
    }
  }, 60_000);

  it.each([
    ['is away', 'SIGKILL'],
    ['hangs', 'SIGSTOP'],
  ] as const)(
    'while NATS %s ends a consumer and a run that uses it with 0 in time',
    async (_, ends) => {
      const nats = await startNatsServer();
      try {
        const onNats = ['--nats-url', nats.url, '--http-port', '0'];
        const consumer = valtrack(['consumer', ...onNats, '--data-dir', dataDir()]);
        const run = valtrack(['run', ...onNats, '--network', devnet.networkPath, '--data-dir', dataDir()]);
        await Promise.all([consumer.url(), run.line(({ msg }) => msg === 'crawling')]);
        process.kill(nats.pid, ends);
        const codes = Promise.all([stopInTime(consumer), stopInTime(run)]);
        expect(await codes).toEqual([0, 0]);
        expect([...consumer.said, ...run.said]).toEqual([]);
      } finally {
        await nats.dispose();
      }
    },
    60_000,
  );

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)(
    'and then %s ends at once, with %i',
    async (second, code) => {
      const run = quietRun();
      // An orderly end waits for this request, which never ends.
      const { port } = new URL(await run.url());
      const request = connect(Number(port), '127.0.0.1').on('error', () => request.destroy());
      request.write('GET /validators HTTP/1.1\r\n');
      await once(request, 'connect');
      run.child.kill('SIGTERM');
      await run.line(({ msg }) => msg.startsWith('stopping'));
      // The same signal within a moment counts as one, so it is sent until it is taken for another.
      await vi.waitFor(() => {
        run.child.kill(second);
        expect(run.child.exitCode).toBe(code);
      });
      expect(run.said).toEqual(['valtrack: forced to stop; the next start goes on where this one was cut off']);
      request.destroy();
    },
    30_000,
  );
});

describe('a terminal that is closed', () => {
  it('ends the program like SIGTERM', async () => {
    const run = quietRun();
    await run.url();
    expect(await stopInTime(run, 'SIGHUP')).toBe(0);
    expect(run.log).toContainEqual(expect.objectContaining({ reason: 'SIGHUP', withinMs: STOP_WITHIN_MS }));
  }, 30_000);

  it('and output that nobody reads any more do no harm', async () => {
    const run = quietRun({ env: { VALTRACK_LOG_LEVEL: 'trace' } });
    const url = await run.url();
    run.child.stdout?.destroy();
    run.child.stderr?.destroy();
    for (let requests = 0; requests < 20; requests++) expect((await fetch(`${url}/nothing`)).status).toBe(404);
    expect(await stopInTime(run)).toBe(0);
  }, 30_000);
});

describe('an error that nobody has caught', () => {
  /** Loaded before the program: does something odd when it is told to. */
  const planted = (code: string) => ({
    env: {
      NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(`process.once('SIGUSR2', () => {${code}})`)}`,
    },
  });

  it.each([
    ['a rejection', 'Promise.reject(new Error("planted"))'],
    ['an exception', 'throw new Error("planted")'],
  ])(
    'ends the program when it is ours: %s',
    async (_, code) => {
      const run = quietRun(planted(code));
      await run.url();
      run.child.kill('SIGUSR2');
      expect(await run.exited).toBe(1);
      expect(run.log).toContainEqual(
        expect.objectContaining({ level: 60, msg: 'a mistake in the program: an error was not caught' }),
      );
      expect(run.said).toEqual(['valtrack: planted']);
    },
    30_000,
  );

  it('ends nothing when strangers can bring it about, and is counted', async () => {
    const stack = 'Error: odd\\n    at parse (/app/node_modules/@chainsafe/libp2p-yamux/dist/src/decode.js:1:1)';
    const run = quietRun(planted(`const e = new Error("odd"); e.stack = "${stack}"; Promise.reject(e)`));
    const url = await run.url();
    run.child.kill('SIGUSR2');
    await run.line(({ msg }) => msg === 'an error in a network library was not caught; it ends nothing');
    expect(await (await fetch(`${url}/metrics`)).text()).toContain(
      'valtrack_uncaught_network_errors_total{library="@chainsafe/libp2p-yamux"} 1',
    );
    expect(await stopInTime(run)).toBe(0);
  }, 30_000);
});

it('a part that fails five times ends the program with 1, saying which and why; readiness has named it before', async () => {
  await givenUp;
}, 60_000);

describe('a signal while the program is still being loaded', () => {
  /** From the first line of ours on; Node itself is not asked to end in good order. */
  async function hearsSignals({ child }: Valtrack): Promise<void> {
    const SIGHUP_BIT = 1n;
    await vi.waitFor(
      async () => {
        const status = await readFile(`/proc/${child.pid}/status`, 'utf8');
        expect(BigInt(`0x${/^SigCgt:\s+(\w+)/m.exec(status)?.[1]}`) & SIGHUP_BIT).toBe(SIGHUP_BIT);
      },
      { timeout: 20_000, interval: 1 },
    );
  }

  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('%s ends a run with 0', async (signal) => {
    const program = quietRun();
    await hearsSignals(program);
    expect(program.log).toEqual([]);
    expect(await stopInTime(program, signal)).toBe(0);
    expect(program.log.map(({ msg }) => msg)).toContain('stopping before everything was started');
  });

  it('ends what has no good order to end in as ever', async () => {
    const silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const peerId = '16Uiu2HAm9dqnTSYPpqFevmJXXvRUavRzcEuYPVS2htkoQLumpu4w';
    const program = valtrack(['probe', `/ip4/127.0.0.1/tcp/${port}/p2p/${peerId}`]);
    await hearsSignals(program);
    program.child.kill('SIGINT');
    await program.exited;
    silent.close();
    expect(program.child.signalCode).toBe('SIGINT');
  });
});
