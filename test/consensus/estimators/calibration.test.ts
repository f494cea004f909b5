import { describe, expect, it } from 'vitest';
import { type ClientName, seededRandom, watchNode } from '../../../bench/accuracy/generator.ts';
import type { Client } from '../../../src/consensus/client.ts';
import { type CalibrationPeer, calibrateWindows } from '../../../src/consensus/estimators/calibration.ts';
import { estimatorModel } from '../../../src/consensus/estimators/estimator-network.ts';
import { addLook, NO_PEER_STATISTICS } from '../../../src/consensus/estimators/peer-statistics.ts';
import { EPOCH_MS, NETWORK } from '../../support/consensus/estimators.ts';

const model = estimatorModel(NETWORK);

interface Watched {
  /** What the node is, and what it says it is. */
  readonly client: ClientName;
  readonly saysItIs?: Client;
  readonly validators: number;
  readonly custodyGroupCount?: number;
  readonly seed: number;
}

/** A day of looks, once an epoch. */
function watched({ client, saysItIs = client, validators, custodyGroupCount, seed }: Watched): CalibrationPeer {
  const node = watchNode({
    client,
    validators,
    activeValidators: NETWORK.activeValidators,
    epochs: 225,
    random: seededRandom(seed),
  });
  const { known } = node.looks.reduce((statistics, { slot, subscribed }) => {
    const epoch = Math.floor(slot / 32);
    const look = {
      atMs: epoch * EPOCH_MS,
      epoch,
      longLived: node.longLived,
      subscribed,
      slots: { from: slot, to: slot },
    };
    return addLook(statistics, look, saysItIs, model);
  }, NO_PEER_STATISTICS);
  return { client: saysItIs, custodyGroupCount: custodyGroupCount ?? node.custodyGroupCount, statistics: known };
}

function many(client: ClientName, count: number, fields: Partial<Watched> = {}): CalibrationPeer[] {
  return Array.from({ length: count }, (_, index) =>
    watched({ client, validators: 40 + (index % 60), seed: index + 1, ...fields }),
  );
}

describe('calibrateWindows', () => {
  it.each<[ClientName, number]>([
    ['Lighthouse', 2],
    ['Lodestar', 3],
    ['Prysm', 17.5],
    ['Teku', 48.5],
  ])('confirms the window of %s, %d slots on average', (client, slots) => {
    const [window] = calibrateWindows(many(client, 25), 32);
    expect(window?.assumedSlots).toBe(slots);
    expect(window?.nodes).toBeGreaterThanOrEqual(18);
    expect(Math.abs((window?.calibratedSlots ?? 0) / slots - 1)).toBeLessThan(0.08);
  });

  it('finds out that a window is longer than assumed', () => {
    const [window] = calibrateWindows(many('Lodestar', 30, { saysItIs: 'Lighthouse' }), 32);
    expect(window).toMatchObject({ client: 'Lighthouse', assumedSlots: 2 });
    expect(Math.abs((window?.calibratedSlots ?? 0) / 3 - 1)).toBeLessThan(0.12);
    expect(window?.low).toBeGreaterThan(2.3);
  });

  it('leaves out nodes whose stake is in few, large validators', () => {
    const compounding = many('Prysm', 10, { validators: 4, custodyGroupCount: 90 });
    const [window] = calibrateWindows([...many('Prysm', 25), ...compounding], 32);
    expect(window?.leftOut).toBeGreaterThanOrEqual(10);
    expect(Math.abs((window?.calibratedSlots ?? 0) / 17.5 - 1)).toBeLessThan(0.08);
  });

  it('says nothing by so few nodes that a compounding one decides', () => {
    const compounding = watched({ client: 'Lighthouse', validators: 14, custodyGroupCount: 95, seed: 8 });
    const small = many('Lighthouse', 3, { validators: 10 });
    expect(calibrateWindows([compounding, ...small], 32)).toEqual([]);
    expect(calibrateWindows(many('Prysm', 4), 32)).toEqual([]);
    expect(calibrateWindows(many('Prysm', 5), 32)).toHaveLength(1);
  });

  it('rests on nothing but pinned stakes', () => {
    const without = (custodyGroupCount: number | null) => ({
      ...watched({ client: 'Teku', validators: 50, seed: 3 }),
      custodyGroupCount,
    });
    expect(calibrateWindows([4, 8, 64, 128, null].map(without), 32)).toEqual([]);
    expect(calibrateWindows(many('Nimbus', 3), 32)).toEqual([]);
    expect(calibrateWindows([], 32)).toEqual([]);
  });
});
