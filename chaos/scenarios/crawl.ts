import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { integerBetween } from '../../src/devnet/random.ts';
import { ask, consumerProcess } from '../support/consumer.ts';
import { startDevnet } from '../support/devnet.ts';
import { prepareStream, startNats, watchStream } from '../support/nats.ts';
import { type Program, valtrack } from '../support/processes.ts';
import type { ChaosContext, Outcome, Scenario } from '../support/scenario.ts';
import { pause, until } from '../support/waiting.ts';
import { unsound } from '../verify/compare.ts';
import { storedFiles } from '../verify/stored-files.ts';

/** The whole sentry, crawling a devnet in another process, killed again and again. */
export const crawl: Scenario = { name: 'crawl', about: 'the real sentry on a devnet, killed at random instants', run };

const NODES = 20;
const SLOT_MS = 100;
const FULL = { kills: 20 };
const SHORT = { kills: 5 };
const START_MS = 60_000;
const DRAIN_MS = 120_000;
const MAX_DELAY_MS = 2_500;

/** What of an event says which one it is, and what it counts for. */
interface Seen {
  readonly subject: string;
  readonly peerId: string;
}

async function run({ dir, random, short, say }: ChaosContext): Promise<Outcome> {
  const { kills: total } = short ? SHORT : FULL;
  const numbers = random('kills');
  const nats = await startNats(join(dir, 'nats'));
  const stream = await watchStream(nats.url);
  await prepareStream(stream, { ackWaitMs: 5_000 });
  const network = await startDevnet(dir, { nodes: NODES, slotMs: SLOT_MS });

  // The ledger: what goes over the wire, heard by the harness itself, and what is in the spool after each kill.
  const ledger = new Map<string, Seen>();
  const note = (subject: string, payload: Uint8Array) => {
    const { event_id, id } = JSON.parse(Buffer.from(payload).toString()) as { event_id: string; id: string };
    ledger.set(event_id, { subject, peerId: id });
  };
  stream.connection.subscribe('events.>', { callback: (_, message) => note(message.subject, message.data) });

  const [sentryDir, consumerDir] = [join(dir, 'sentry'), join(dir, 'consumer')];
  await Promise.all([mkdir(sentryDir), mkdir(consumerDir)]);
  const consumer = consumerProcess({ dataDir: consumerDir, natsUrl: nats.url, stderrPath: join(dir, 'consumer.log') });
  await consumer.start();
  const startSentry = () =>
    valtrack(
      ['sentry', '--nats-url', nats.url, '--data-dir', sentryDir, '--network', network, '--log-format', 'json'],
      {
        stderrPath: join(dir, 'sentry.log'),
      },
    );
  const inSpool = () =>
    ask<{ event_id: string; subject: string; payload: Uint8Array }>(
      join(sentryDir, 'sentry.sqlite'),
      'SELECT event_id, subject, payload FROM event_log_entries',
    );
  const noteSpool = () => {
    for (const { subject, payload } of inSpool()) note(subject, payload);
  };

  let sentry: Program = startSentry();
  for (let kills = 0; kills < total; kills++) {
    const before = ledger.size;
    await until('the sentry observes', START_MS, () => ledger.size > before);
    await pause(integerBetween(numbers, 0, MAX_DELAY_MS));
    await sentry.end('SIGKILL');
    noteSpool();
    say(`${kills + 1} kills, ${ledger.size} events`);
    sentry = startSentry();
  }
  const before = ledger.size;
  await until('the sentry observes', START_MS, () => ledger.size > before);
  const problems: string[] = [];
  const codes = [await sentry.end('SIGTERM')];
  noteSpool();
  // What the stop has left on disk is handed over after the next start, which crawls too.
  sentry = startSentry();
  const again = ledger.size;
  await until('the sentry observes again', START_MS, () => ledger.size > again);
  codes.push(await sentry.end('SIGTERM'));
  noteSpool();
  await until('everything is consumed', DRAIN_MS, async () => (await stream.held()) === 0);
  const left = new Set(inSpool().map(({ event_id }) => event_id));
  codes.push(await consumer.program().end('SIGTERM'));
  if (codes.some((code) => code !== 0)) problems.push(`exit codes ${codes.join(', ')} on SIGTERM`);
  const verdict = await judge(consumerDir, ledger, left);
  problems.push(...unsound(join(sentryDir, 'sentry.sqlite')), ...verdict.problems);
  await stream.close();
  await nats.kill('SIGKILL');
  return {
    did: `a devnet of ${NODES} nodes, the sentry killed ${total} times`,
    figures: { ...verdict.figures, 'left in the spool': left.size },
    problems,
  };
}

/** @param left what is still in the spool, which need not be stored yet */
async function judge(dataDir: string, ledger: ReadonlyMap<string, Seen>, left: ReadonlySet<string>) {
  const files = await storedFiles(dataDir);
  const tables = { discovery_events: 'events.peer_discovered', metadata_events: 'events.metadata_received' };
  const stored = new Map<string, Seen>();
  const repeated: string[] = [];
  for (const [table, subject] of Object.entries(tables)) {
    for (const row of await files.rows(table)) {
      const eventId = String(row['event_id']);
      if (stored.has(eventId)) repeated.push(eventId);
      stored.set(eventId, { subject, peerId: String(row['id']) });
    }
  }
  const lost = [...ledger.keys()].filter((id) => !stored.has(id) && !left.has(id));
  const wrong = [...stored]
    .filter(([id, { subject, peerId }]) => ledger.get(id)?.subject !== subject || ledger.get(id)?.peerId !== peerId)
    .map(([id]) => `${id} is not as it went over the wire`);

  const counted = new Map<string, number>();
  for (const { subject, peerId } of stored.values()) {
    if (subject === 'events.metadata_received') counted.set(peerId, (counted.get(peerId) ?? 0) + 1);
  }
  const view = ask<{ peer_id: string; num_observations: number }>(
    join(dataDir, 'validator_tracker.sqlite'),
    'SELECT peer_id, num_observations FROM validator_tracker',
  );
  for (const { peer_id, num_observations } of view) {
    if (counted.get(peer_id) !== num_observations) {
      wrong.push(`${peer_id} has ${num_observations} observations, not ${counted.get(peer_id)}`);
    }
  }
  if (view.length !== counted.size) wrong.push(`${view.length} peers in the view, not ${counted.size}`);
  const problems = Object.entries({ lost, repeated, wrong, 'broken files': files.broken })
    .filter(([, found]) => found.length > 0)
    .map(([kind, found]) => `${kind} ${found.length}: ${found.slice(0, 5).join('; ')}`);
  return {
    figures: {
      events: ledger.size,
      stored: stored.size,
      lost: lost.length,
      repeated: repeated.length,
      wrong: wrong.length,
      peers: view.length,
      files: files.files,
      'broken files': files.broken.length,
    },
    problems,
  };
}
