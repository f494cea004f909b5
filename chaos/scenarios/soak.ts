import { mkdir, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Random } from '../../src/devnet/random.ts';
import { consumerProcess } from '../support/consumer.ts';
import { startDevnet } from '../support/devnet.ts';
import { eventMaker } from '../support/events.ts';
import { type StreamWatch, startNats, watchStream } from '../support/nats.ts';
import { valtrack } from '../support/processes.ts';
import { folderBytes, openFiles, residentBytes, type Sample, type Trend, trendOf } from '../support/sampling.ts';
import type { ChaosContext, Outcome, Scenario } from '../support/scenario.ts';
import { pause, until } from '../support/waiting.ts';

/** A long accelerated run: memory, open files and disk must be flat once everything has warmed up and retention has set in. */
export const soak: Scenario = {
  name: 'soak',
  about: 'a long run; memory, files and disk stay flat',
  onlyWhenNamed: true,
  run,
};

const NODES = 50;
const SLOT_MS = 100;
const SLOTS_AN_EPOCH = 32;
const MAINNET_EPOCH_MS = 384_000;
const SAMPLE_MS = 10_000;
/** The rest of the run is judged. */
const WARM_UP_SHARE = 0.4;
/**
 * What waits when the consumer starts, as after an outage. V8 lets its young generation grow with the load, once, by some
 * 50 MB; without a backlog that one step comes at any time of the run.
 */
const BACKLOG = 30_000;
const BACKLOG_BATCH = 500;
const BACKLOG_MS = 300_000;
/** How much a line through the samples may rise, as a share of their mean. */
const FLAT = 0.15;
/** A few files more or less are no trend. */
const FLAT_FILES = 8;
const KEEP = ['--keep-addresses', '5m', '--keep-observations', '5m', '--keep-events', '5m'];
const REPORT = fileURLToPath(new URL('../../docs/soak.md', import.meta.url));
const MEGABYTE = 1e6;

interface Series {
  readonly name: string;
  readonly unit: 'MB' | 'files';
  readonly samples: Sample[];
  look(): Promise<number>;
}

async function run({ dir, minutes, write, say, random }: ChaosContext): Promise<Outcome> {
  const nats = await startNats(join(dir, 'nats'));
  const stream = await watchStream(nats.url);
  const network = await startDevnet(dir, { nodes: NODES, slotMs: SLOT_MS });
  const folders = { sentry: join(dir, 'sentry'), consumer: join(dir, 'consumer'), nats: join(dir, 'nats') };
  await Promise.all([mkdir(folders.sentry), mkdir(folders.consumer)]);
  const consumer = consumerProcess({
    dataDir: folders.consumer,
    natsUrl: nats.url,
    stderrPath: join(dir, 'consumer.log'),
    more: KEEP,
  });
  await consumer.start();
  await publishBacklog(stream, random('backlog'));
  await until('the backlog is applied', BACKLOG_MS, () => consumer.applied() >= BACKLOG);
  say(`${BACKLOG} events of a backlog are applied`);
  const sentry = valtrack(
    ['sentry', '--nats-url', nats.url, '--data-dir', folders.sentry, '--network', network, '--log-format', 'json'],
    { stderrPath: join(dir, 'sentry.log') },
  );
  const pids = { sentry: sentry.pid, consumer: consumer.program().pid, nats: nats.pid };
  const series: Series[] = [
    ...Object.entries(pids).flatMap(([name, pid]): Series[] => [
      { name: `memory of ${name}`, unit: 'MB', samples: [], look: async () => (await residentBytes(pid)) / MEGABYTE },
      { name: `open files of ${name}`, unit: 'files', samples: [], look: () => openFiles(pid) },
    ]),
    ...Object.entries(folders).map(([name, path]): Series => {
      return {
        name: `disk of ${name}`,
        unit: 'MB',
        samples: [],
        look: async () => (await folderBytes(path)) / MEGABYTE,
      };
    }),
  ];

  const problems: string[] = [];
  const beganMs = performance.now();
  const endMs = beganMs + minutes * 60_000;
  for (let round = 1; performance.now() < endMs; round++) {
    await pause(SAMPLE_MS);
    if (!sentry.isRunning() || !consumer.program().isRunning()) {
      problems.push(`the ${sentry.isRunning() ? 'consumer' : 'sentry'} has ended by itself`);
      break;
    }
    const atMs = performance.now() - beganMs;
    for (const { samples, look } of series) samples.push({ atMs, value: await look() });
    if (round % 30 === 0) say(`${Math.round(atMs / 60_000)} min, ${consumer.applied()} events`);
  }
  const events = consumer.applied() - BACKLOG;
  const spanMs = performance.now() - beganMs;
  const codes = [await sentry.end('SIGTERM'), await consumer.program().end('SIGTERM')];
  if (codes.some((code) => code !== 0)) problems.push(`exit codes ${codes.join(', ')} on SIGTERM`);
  await stream.close();
  await nats.kill('SIGTERM');

  const warmMs = spanMs * WARM_UP_SHARE;
  const rows = series.map(({ name, unit, samples }) => {
    const trend = trendOf(samples.filter(({ atMs }) => atMs >= warmMs));
    const isFlat = unit === 'files' ? trend.growth <= FLAT_FILES : trend.growth <= Math.max(1, trend.mean * FLAT);
    return { name, unit, trend, isFlat };
  });
  for (const { name, unit, trend, isFlat } of rows) {
    if (!isFlat) problems.push(`${name} grew by ${trend.growth.toFixed(1)} ${unit} from ${trend.mean.toFixed(1)}`);
  }
  const table = tableOf(rows);
  say(`\n${table}`);
  const days = ((spanMs / (SLOT_MS * SLOTS_AN_EPOCH)) * MAINNET_EPOCH_MS) / 86_400_000;
  if (write) await writeFile(REPORT, reportOf(spanMs, days, events, table));
  return {
    did: `${(spanMs / 60_000).toFixed(0)} min of ${NODES} nodes, as many epochs as mainnet has in ${days.toFixed(1)} days`,
    figures: {
      events,
      ...Object.fromEntries(rows.map(({ name, unit, trend }) => [`${name} ${unit}`, growthText(trend)])),
    },
    problems,
  };
}

async function publishBacklog({ connection }: StreamWatch, random: Random): Promise<void> {
  const jetstream = connection.jetstream();
  const events = eventMaker(random, Date.now());
  for (let sent = 0; sent < BACKLOG; sent += BACKLOG_BATCH) {
    const batch = Array.from({ length: BACKLOG_BATCH }, () => events.next());
    await Promise.all(
      batch.map(({ serial, subject, wire }) => {
        const eventId = `backlog:${serial}`;
        return jetstream.publish(subject, JSON.stringify({ ...wire, event_id: eventId }), { msgID: eventId });
      }),
    );
  }
}

function growthText({ mean, growth }: Trend): string {
  return `${mean.toFixed(1)} ${growth < 0 ? '' : '+'}${growth.toFixed(1)}`;
}

function tableOf(rows: readonly { name: string; unit: string; trend: Trend; isFlat: boolean }[]): string {
  const lines = rows.map(({ name, unit, trend: { mean, max, growth }, isFlat }) => {
    return `| ${name} | ${unit} | ${mean.toFixed(1)} | ${max.toFixed(1)} | ${growth.toFixed(1)} | ${isFlat ? 'flat' : 'GROWS'} |`;
  });
  return ['| what | unit | mean | highest | growth | |', '|---|---|---:|---:|---:|---|', ...lines].join('\n');
}

function reportOf(spanMs: number, days: number, events: number, table: string): string {
  const minutes = (spanMs / 60_000).toFixed(0);
  return `# Soak run

\`npm run chaos -- soak --minutes ${minutes} --write\` wrote this page.

A devnet of ${NODES} nodes with slots of ${SLOT_MS} ms, \`valtrack sentry\`, nats-server and \`valtrack consumer\`, each a process of its
own, ran for ${minutes} minutes on ${cpus().length} cores (${cpus()[0]?.model ?? 'unknown'}): as many epochs as mainnet has in ${days.toFixed(1)} days, and
${events} events. Before that, the consumer had taken a backlog of ${BACKLOG} events, as after an outage. It kept everything for five minutes (\`${KEEP.join(' ')}\`) and wrote a Parquet file every two seconds.

The first ${WARM_UP_SHARE * 100} % of the run are warm-up. After it a sample was taken every ${SAMPLE_MS / 1000} s. Growth is that of the line of least squares through
the samples, from the first to the last. Flat means that it is at most ${FLAT * 100} % of the mean, or ${FLAT_FILES} open files.

${table}

V8 lets the young generation of a process grow with its load, once: \`node bench/consumer-memory.ts\` shows the step, some 50 MB, while the heap stays at 18 to 23 MB after each
collection, and \`node --max-semi-space-size=2 bench/consumer-memory.ts\` shows none. The backlog is there so that the step is over before the run is judged.
`;
}
