import { describe, expect, it } from 'vitest';
import { progressFields, renderProgress, type Snapshot } from '../../src/commands/progress.ts';
import { renderSummary } from '../../src/commands/summary.ts';
import { labelled, table } from '../../src/commands/texts.ts';
import { clockText } from '../../src/io/logging/texts.ts';
import { figuresOf, NO_SUMS } from '../../src/io/storage/tracker/figures.ts';
import { attemptsAt } from '../../src/programs/event-path/attempts.ts';

const depth = (active: number) => ({ active, waiting: 0, overflowed: 0 });

function snapshot(changes: Partial<Snapshot> = {}): Snapshot {
  const failures = ['reset', 'timeout', 'refused', 'eof', 'wrong_fork'].map((cause, index) => {
    return { stage: 'dial', cause, client: 'unknown', count: 1_000 * (index + 1) };
  });
  return {
    network: 'mainnet',
    upMs: 3_723_000,
    crawl: {
      stats: {
        epoch: 412_345,
        peers: { known: 12_345, due: 17, refused: 0, phases: { 'backing-off': 2_345 } },
        inFlight: 256,
        observedThisEpoch: 6_789,
        observed: 1_234_567,
        failed: 15_000,
        failures,
        turnedAway: 0,
        asking: 16,
        waitingToAsk: 4_321,
        lastRound: null,
      },
      depths: { discovery: depth(16), dial: depth(200), handshake: depth(40), gossipProbe: depth(16) },
      devnet: null,
    } as unknown as Snapshot['crawl'],
    store: {
      totals: { peers: 9_876, observations: 1_234_567, validators: 54_321, placed: 9_800, countries: 61 },
      eventsStored: 1_300_000,
      malformed: 3,
      parquetFiles: 42,
      url: 'http://127.0.0.1:8080',
      problems: [],
    },
    forwarded: null,
    ...changes,
  };
}

describe('the block on the terminal', () => {
  it.each([48, 60, 80, 120])('has lines of at most %i columns and all figures in them', (columns) => {
    const block = renderProgress(snapshot(), columns);
    for (const line of block.split('\n')) expect(line.length, line).toBeLessThanOrEqual(columns);
    const words = block.replaceAll(/\s+/g, ' ');
    for (const figure of [
      'mainnet · epoch 412345 · up 1:02:03',
      'asking 16 nodes for neighbours, 4,321 more to ask',
      '12,345 known, 17 due, 2,345 backing off',
      '200 dialling, 40 shaking hands, 16 watched',
      '6,789 peers this epoch, 1,234,567 observations in all, 15,000 failed visits',
      'dial wrong fork 5,000, dial eof 4,000, dial refused 3,000, dial timeout 2,000',
      '1,300,000 events, 9,876 peers in the view, 42 Parquet files, 3 malformed put aside',
      '9,800 peers, in 61 countries',
      'http://127.0.0.1:8080/validators',
      'Ctrl-C stops',
    ]) {
      expect(words).toContain(figure);
    }
  });

  it('fits a terminal of 24 lines and 60 columns', () => {
    const trouble = {
      ...(snapshot().store as NonNullable<Snapshot['store']>),
      problems: ['a batch could not be stored'],
    };
    expect(renderProgress(snapshot({ forwarded: 5, store: trouble }), 60).split('\n').length).toBeLessThan(24);
  });

  it('shows what there is: NATS, trouble, the truth of a devnet', () => {
    const { crawl, store } = snapshot();
    const devnet = { ...(crawl as NonNullable<Snapshot['crawl']>), devnet: { observed: 49, nodes: 50 } };
    const block = renderProgress(snapshot({ crawl: devnet, store: null, forwarded: 1_234 }), 80);
    expect(block).toContain('  devnet      49 of 50 devnet nodes observed\n');
    expect(block).toContain('  published   1,234 events taken by NATS\n');
    expect(block).not.toContain('stored');
    const broken = { ...(store as NonNullable<Snapshot['store']>), problems: ['the disk is full'] };
    expect(renderProgress(snapshot({ crawl: null, store: broken }), 80)).toContain('  trouble     the disk is full\n');
  });
});

it('the log line has the figures that there are, and no others', () => {
  expect(progressFields(snapshot({ store: null }))).toEqual({
    epoch: 412_345,
    peersKnown: 12_345,
    due: 17,
    inFlight: 256,
    dialing: 200,
    handshaking: 40,
    probing: 16,
    observations: 1_234_567,
    failedVisits: 15_000,
  });
});

describe('the summary', () => {
  it('says how many were observed, how often, and how far the published counts are from the truth', () => {
    const truth = [
      { peer_id: 'a', validators: 100 },
      { peer_id: 'b', validators: 300 },
      { peer_id: 'c', validators: 0 },
    ];
    const peers = [
      { peerId: 'a', clientVersion: 'Lighthouse/v8', observations: 4, publishedCount: 3, estimate: 110.4 },
      { peerId: 'b', clientVersion: 'Prysm/v6', observations: 5, publishedCount: 7, estimate: null },
    ];
    const figures = {
      ...figuresOf(NO_SUMS),
      validators: 110.4,
      validators_low: 90,
      validators_high: null,
      published: 10,
    };
    const summary = renderSummary(snapshot(), { peers, figures }, truth as never);
    expect(summary).toContain('valtrack stopped after 1:02:03 on mainnet.');
    expect(summary).toContain('2 of 3 nodes observed, each 4.5 times on average.');
    expect(summary).toContain('about 110; with 90 % confidence at least 90, no upper bound yet.');
    expect(summary).toMatch(/truth +400/);
    expect(summary).toMatch(/estimate +110 +27\.6 %\n/);
    expect(summary).toMatch(/published rule +10 +2\.5 %\n/);
    expect(summary).toContain('let it run on');
    expect(summary).toMatch(/Lighthouse +1 +4 +3 +110\n/);
    expect(summary).toMatch(/Prysm +1 +5 +7 +0\n/);
  });

  it('says how often anything went wrong, and how many kinds it does not show: they add up', () => {
    const { crawl } = snapshot();
    const failures = Array.from({ length: 11 }, (_, index) => {
      return { stage: 'dial', cause: `cause-${index}`, client: 'unknown', count: 30 - index };
    });
    const stats = { ...crawl?.stats, failures, failed: 19 };
    const lines = renderSummary(snapshot({ crawl: { ...crawl, stats } as never }), null, null).split('\n');
    expect(lines[1]).toMatch(/, 19 visits failed\.$/);
    expect(lines[2]).toBe('What went wrong with visits, parts of visits and records, 275 times:');
    const shown = lines.slice(3).map((line) => Number(/(\d+)$/.exec(line)?.[1]));
    expect(shown).toHaveLength(9);
    expect(lines.at(-1)).toBe('  of 3 other kinds: 63');
    expect(shown.reduce((sum, times) => sum + times, 0)).toBe(275);
  });
});

describe('texts', () => {
  it.each([
    [0, '00:00'],
    [61_999, '01:01'],
    [3_600_000, '1:00:00'],
    [360_000_000, '100:00:00'],
  ])('%i ms on a clock is %s', (ms, text) => {
    expect(clockText(ms)).toBe(text);
  });

  it('a row goes on below, part by part, under its first part', () => {
    expect(labelled('peers', ['one', 'two', 'three'], 24)).toEqual(['  peers       one, two,', '              three']);
    expect(labelled('look', ['a-part-that-is-wider-than-the-terminal'], 20)).toEqual([
      '  look        a-part-that-is-wider-than-the-terminal',
    ]);
  });

  it('a table aligns figures to the right', () => {
    expect(
      table(
        ['client', 'nodes'],
        [
          ['Teku', '1,000'],
          ['Lighthouse', '7'],
        ],
      ),
    ).toEqual(['  client      nodes', '  Teku        1,000', '  Lighthouse      7']);
  });
});

it('attempts are a reason while the last of them failed', () => {
  const writing = attemptsAt('writing events to disk');
  expect(writing.problem()).toBe(null);
  writing.failed(new Error('the event log is full'));
  expect(writing.problem()).toBe('writing events to disk failed and is tried again: the event log is full');
  writing.succeeded();
  expect(writing.problem()).toBe(null);
});
