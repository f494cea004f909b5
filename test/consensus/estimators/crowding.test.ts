import { expect, it } from 'vitest';
import type { Client } from '../../../src/consensus/client.ts';
import { CLIENT_WINDOWS, type ClientWindow } from '../../../src/consensus/estimators/client-windows.ts';
import { dutyRules } from '../../../src/consensus/estimators/committees.ts';
import { crowding } from '../../../src/consensus/estimators/crowding.ts';

const windowOf = (client: Client) => CLIENT_WINDOWS[client] as ClientWindow;

it.each<[Client, number]>([
  // One validator in three aggregates. In 31 of 32 slots both slots are of one epoch, in the last each of its own:
  // (31 · (2/96)² + 2 · (1/96)²) / (31 · 2/96 + 2 · 1/96).
  ['Lighthouse', (31 * 4 + 2) / (96 * 64)],
  // Slots τ to 31, and all 32 of the next epoch: Σ ((32 - τ)² + 32²) / (96 Σ (64 - τ)).
  ['Teku', (11_440 + 32 * 1_024) / (96 * (32 * 64 - 496))],
])('of sightings of %s in a small network is as summed up by hand', (client, expected) => {
  expect(crowding(windowOf(client), dutyRules(2_000, 32))).toBeCloseTo(expected, 12);
});

it('is small where few aggregate', () => {
  const rules = dutyRules(1_000_000, 32);
  expect(crowding(windowOf('Teku'), rules)).toBeLessThan(1 / 30);
  expect(crowding(windowOf('Teku'), rules)).toBe(crowding(windowOf('Teku'), rules));
});
