import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openTracker, type TrackerDatabase } from '../../../../src/io/storage/tracker/database.ts';
import { type NetworkFigures, networkFigures } from '../../../../src/io/storage/tracker/network-figures.ts';
import { tempDir } from '../../../support/temp-dir.ts';

let folder: Awaited<ReturnType<typeof tempDir>>;
let tracker: TrackerDatabase;
let figures: NetworkFigures;

const EVER = { fromMs: 0, toMs: Number.MAX_SAFE_INTEGER };
const DAY_MS = 86_400_000;

beforeEach(async () => {
  folder = await tempDir();
  tracker = await openTracker(folder.path);
  figures = networkFigures(tracker.reader, null);
});
afterEach(async () => {
  await tracker.close();
  await folder.remove();
});

let peers = 0;

async function add(fields: Record<string, string | number | null>): Promise<void> {
  const row: Record<string, string | number | null> = {
    peer_id: `peer-${peers++}`,
    last_seen: 1_000,
    first_seen: 1_000,
    possible_validator: 0,
    max_validator_count: 1,
    num_observations: 1,
    ip: `10.0.${peers}.1`,
    country: 'DE',
    validators_estimate: 10,
    validators_low: 7,
    validators_high: 14,
    stake_eth_low: 224,
    stake_eth_high: 448,
    ...fields,
  };
  const names = Object.keys(row);
  await tracker.writer.run(
    `INSERT INTO validator_tracker (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`,
    ...Object.values(row),
  );
}

describe('totals', () => {
  it('of nothing are zero', async () => {
    expect(await figures.totals(EVER)).toMatchObject({
      nodes: 0,
      validators: 0,
      validators_low: 0,
      validators_high: 0,
    });
    expect(await figures.newestDay()).toEqual({ fromMs: 0, toMs: 0 });
  });

  it('add the errors of nodes as those of independent ones', async () => {
    for (let index = 0; index < 4; index++) await add({});
    expect(await figures.totals(EVER)).toEqual({
      nodes: 4,
      validator_nodes: 4,
      nodes_without_estimate: 0,
      validators: 40,
      validators_low: 34, // 40 - √(4 · 3²)
      validators_high: 48, // 40 + √(4 · 4²)
      stake_eth_low: 896,
      stake_eth_high: 1_792,
      published: 4,
      fallback_nodes: 0,
      fallback_validators: 0,
    });
  });

  it('take the lower bound of a saturated node, have no upper one then, and tell of nodes nobody knows anything of', async () => {
    await add({ validators_estimate: null, validators_low: 500, validators_high: null, stake_eth_high: null });
    await add({
      validators_estimate: null,
      validators_low: 0,
      validators_high: null,
      stake_eth_low: null,
      stake_eth_high: null,
    });
    await add({ validators_estimate: 0, validators_low: 0, validators_high: 2, stake_eth_low: 0, stake_eth_high: 0 });
    expect(await figures.totals(EVER)).toMatchObject({
      nodes: 3,
      validator_nodes: 1,
      nodes_without_estimate: 1,
      validators: 500,
      validators_high: null,
      stake_eth_high: null,
    });
  });

  it('call out nodes of one network with the same pinned custody count, and no others', async () => {
    const at = (ip: string, custody_group_count: number, validators_estimate = custody_group_count) =>
      add({ ip, custody_group_count, validators_estimate });
    await at('1.2.3.4', 50);
    await at('1.2.3.200', 50, 49);
    await at('1.2.3.5', 50, 48);
    await at('1.2.33.4', 50);
    await at('1.2.3.7', 51);
    await at('1.2.3.8', 8);
    await at('1.2.3.9', 8);
    await at('1.2.3.10', 128);
    await at('1.2.3.11', 128);
    await at('2001:db8::1', 30);
    await at('2001:db8::ffff', 30);
    expect(await figures.totals(EVER)).toMatchObject({
      nodes: 11,
      fallback_nodes: 3,
      fallback_validators: 49 + 48 + 30,
    });
  });

  it('count who was last seen in the range; the newest day ends with the newest observation', async () => {
    await add({ last_seen: 5 * DAY_MS });
    await add({ last_seen: 5 * DAY_MS - DAY_MS });
    await add({ last_seen: 5 * DAY_MS - DAY_MS - 1 });
    const range = await figures.newestDay();
    expect(range).toEqual({ fromMs: 4 * DAY_MS, toMs: 5 * DAY_MS });
    expect(await figures.totals(range)).toMatchObject({ nodes: 2 });
    expect(await figures.totals(EVER)).toMatchObject({ nodes: 3 });
  });
});

it('the newest day is not that of a sentry whose clock is wrong, unless there is no other', async () => {
  const nowMs = Date.UTC(2026, 10, 30);
  const now = networkFigures(tracker.reader, null, () => nowMs);
  await add({ last_seen: nowMs + 400 * DAY_MS });
  expect(await now.newestDay()).toEqual({ fromMs: nowMs + 399 * DAY_MS, toMs: nowMs + 400 * DAY_MS });
  await add({ last_seen: nowMs - 1_000 });
  expect(await now.newestDay()).toEqual({ fromMs: nowMs - 1_000 - DAY_MS, toMs: nowMs - 1_000 });
});

describe('cells', () => {
  it.each([
    ['country', ['DE', 'FR', null]],
    ['city', ['Bern, DE', 'Bern, FR', null]],
    ['asn', ['AS1', 'AS2', null]],
    ['asn_type', ['hosting', 'isp', null]],
    ['client', ['Lighthouse', 'Teku', 'unknown']],
  ] as const)('by %s are ordered by validators', async (by, keys) => {
    const place = { country: 'DE', city: 'Bern', asn: 'AS1', asn_organization: 'One', asn_type: 'hosting' };
    await add({ ...place, client_version: 'Lighthouse/v8', validators_estimate: 20 });
    await add({ ...place, client_version: 'Lighthouse/v7', validators_estimate: 20 });
    await add({
      ...{ country: 'FR', city: 'Bern', asn: 'AS2', asn_type: 'isp' },
      client_version: 'teku/teku/v25',
      validators_estimate: 30,
    });
    await add({ country: null, client_version: null, validators_estimate: 1 });
    const cells = await figures.cells(by, EVER, 1);
    expect(cells.map(({ key }) => key)).toEqual(keys);
    expect(cells.map(({ nodes }) => nodes)).toEqual([2, 1, 1]);
    expect(cells.map(({ validators }) => validators)).toEqual([40, 30, 1]);
    expect(cells[0]?.name).toBe(by === 'asn' ? 'One' : null);
  });

  const countries = async (counts: Readonly<Record<string, number>>) => {
    for (const [country, count] of Object.entries(counts))
      for (let index = 0; index < count; index++) await add({ country });
    const cells = await figures.cells('country', EVER, 3);
    return Object.fromEntries(cells.map(({ key, nodes }) => [key, nodes]));
  };

  it('with few nodes are one', async () => {
    expect(await countries({ DE: 5, FR: 3, CH: 2, AT: 1 })).toEqual({ DE: 5, FR: 3, other: 3 });
  });

  it('with few nodes take the next smallest in, so that none follows from the total', async () => {
    expect(await countries({ DE: 5, FR: 4, CH: 1 })).toEqual({ DE: 5, other: 5 });
  });

  it('are not shown where even all together are few', async () => {
    expect(await countries({ DE: 1, FR: 1 })).toEqual({});
  });
});

describe('methods and history', () => {
  it('sum what each method says of the peers in the range', async () => {
    await add({ peer_id: 'a' });
    await add({ peer_id: 'b', last_seen: 9_000 });
    await tracker.writer.run(
      `INSERT INTO validator_estimates (peer_id, method, estimate, observations, updated_at) VALUES
         ('a', 'subnets', 3.5, 1, 1), ('b', 'subnets', 100, 1, 1), ('a', 'custody', NULL, 0, 1)`,
    );
    expect(await figures.methods({ fromMs: 0, toMs: 2_000 })).toEqual([
      { method: 'custody', validators: 0, nodes: 0 },
      { method: 'subnets', validators: 3.5, nodes: 1 },
    ]);
  });

  it('has a line for each day in the range', async () => {
    await tracker.writer.run(
      `INSERT INTO validator_history (day, peer_id, validators_estimate, validators_low, validators_high, stake_eth_low,
         stake_eth_high, max_validator_count, num_observations) VALUES
         ('2026-01-01', 'a', 5, 4, 7, 160, 160, 1, 10), ('2026-01-01', 'b', 7, 3, 12, 32, 9, 1, 10),
         ('2026-01-02', 'a', 6, 5, 8, 192, 192, 1, 20), ('2026-01-03', 'a', 1, 1, 1, 32, 32, 1, 30)`,
    );
    const range = { fromMs: Date.UTC(2026, 0, 1, 23), toMs: Date.UTC(2026, 0, 2, 1) };
    expect(await figures.history(range)).toMatchObject([
      { day: '2026-01-01', nodes: 2, validators: 12, published: 2 },
      { day: '2026-01-02', nodes: 1, validators: 6 },
    ]);
    expect(await figures.history(EVER)).toHaveLength(3);
  });
});
