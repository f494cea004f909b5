import { expect, it, vi } from 'vitest';
import { type Metric, renderMetrics } from '../../../src/io/metrics/metrics.ts';
import { spoolMetrics } from '../../../src/programs/event-path/spool.ts';
import { restartsOf } from '../../../src/programs/keep-running.ts';

const lines = async (metrics: readonly Metric[]) =>
  (await renderMetrics(metrics)).text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));

const spoolWith = (oldestMs: number | null) => ({
  depth: async () => ({ entries: 2, bytes: 700, oldestMs }),
  kept: () => ({ entries: 5, bytes: 900 }),
});

it('tells how old the oldest event is that waits on disk', async () => {
  vi.useFakeTimers({ now: 1_700_000_061_500, toFake: ['Date'] });
  try {
    expect(await lines(spoolMetrics(spoolWith(1_700_000_000_000)))).toEqual([
      'valtrack_event_log_entries 2',
      'valtrack_event_log_bytes 700',
      'valtrack_event_log_oldest_seconds 61.5',
      'valtrack_event_log_kept_entries 5',
      'valtrack_event_log_kept_bytes 900',
    ]);
  } finally {
    vi.useRealTimers();
  }
});

it.each([
  ['none waits', null],
  ['the clock was put back', Date.now() + 3_600_000],
])('tells an age of 0 when %s', async (_, oldestMs) => {
  expect(await lines(spoolMetrics(spoolWith(oldestMs)))).toContain('valtrack_event_log_oldest_seconds 0');
});

it('tells how often each part was started again', async () => {
  const parts = [
    { name: 'the libp2p host', restarts: () => 3 },
    { name: 'discovery', restarts: () => 0 },
  ];
  expect(await lines(parts.map(restartsOf))).toEqual([
    'valtrack_part_restarts_total{part="libp2p host"} 3',
    'valtrack_part_restarts_total{part="discovery"} 0',
  ]);
});

it('declares as counters what Prometheus takes a rate of, and nothing else', async () => {
  const metrics = [restartsOf({ name: 'discovery', restarts: () => 2 }), ...spoolMetrics(spoolWith(null))];
  const render = async () => (await renderMetrics(metrics)).text;
  await render();
  const types = (await render()).split('\n').filter((line) => line.startsWith('# TYPE '));
  expect(types).toContain('# TYPE valtrack_part_restarts_total counter');
  expect(types).toContain('# TYPE valtrack_event_log_entries gauge');
  for (const type of types) expect(type.endsWith(' counter')).toBe(type.includes('_total '));
  // A second scrape does not add up what the first has told.
  expect(await render()).toContain('valtrack_part_restarts_total{part="discovery"} 2');
});
