import { expect, it } from 'vitest';
import type { Client } from '../../../src/consensus/client.ts';
import { goodbyeOf } from '../../../src/consensus/manners/goodbye.ts';

/** Seconds without dialling after a code: Prysm beacon-chain/sync/rpc_goodbye.go `goodByes` and `backOffTime`. */
const PRYSM_BACKOFF_S = new Map<bigint | null, number>([
  [null, 0],
  [1n, 3_600],
  [2n, 86_400],
  [3n, 120],
  [128n, 86_400],
  [129n, 300],
  [250n, 7_200],
  [251n, 7_200],
]);
/** Teku DefaultReputationManager.java `BAN_REASONS` and `COOLDOWN_PERIOD`. */
const TEKU_BAN_S = 43_200;
const TEKU_BACKOFF_S = (code: bigint | null) => (code === 2n || code === 128n ? TEKU_BAN_S : 120);
const EPOCH_S = 384;

it('keeps a Prysm away as long as it can whom we can dial, and lets it come again within an epoch if it must', () => {
  const awayS = (isDialable: boolean) => PRYSM_BACKOFF_S.get(goodbyeOf({ client: 'Prysm', isDialable })) ?? Number.NaN;
  expect(awayS(true)).toBe(3_600);
  expect(awayS(false)).toBe(300);
  expect(awayS(false)).toBeLessThan(EPOCH_S);
});

it.each([true, false])('never has a Teku turn us out, dialable: %s', (isDialable) => {
  expect(TEKU_BACKOFF_S(goodbyeOf({ client: 'Teku', isDialable }))).toBe(120);
});

it.each<Client>(['Lighthouse', 'Grandine', 'Lodestar', 'Nimbus', 'Caplin', 'unknown'])(
  'says nothing to a %s, which gains nothing by it',
  (client) => {
    expect([true, false].map((isDialable) => goodbyeOf({ client, isDialable }))).toEqual([null, null]);
  },
);
