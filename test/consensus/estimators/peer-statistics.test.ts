import { describe, expect, it } from 'vitest';
import type { Client } from '../../../src/consensus/client.ts';
import { estimatorModel } from '../../../src/consensus/estimators/estimator-network.ts';
import { mixedEstimate } from '../../../src/consensus/estimators/mixture.ts';
import {
  addLook,
  candidates,
  NO_PEER_STATISTICS,
  type PeerStatistics,
  subscribesToAll,
} from '../../../src/consensus/estimators/peer-statistics.ts';
import type { SubnetLook } from '../../../src/consensus/estimators/subnet-look.ts';
import { subnetsEstimate } from '../../../src/consensus/estimators/subnets.ts';
import { ALL_SUBNETS, lookAt, NETWORK } from '../../support/consensus/estimators.ts';

const model = estimatorModel(NETWORK);

function watch(client: Client, looks: readonly SubnetLook[], before = NO_PEER_STATISTICS): PeerStatistics {
  return looks.reduce((statistics, look) => addLook(statistics, look, client, model), before);
}

function estimateOf(statistics: PeerStatistics, client: Client) {
  return mixedEstimate(
    candidates(statistics, client).flatMap(({ share, statistics: seen }) => {
      const estimate = subnetsEstimate(seen);
      return estimate === null ? [] : [{ share, estimate }];
    }),
  );
}

const TEN_LOOKS = Array.from({ length: 10 }, (_, epoch) => lookAt(epoch, epoch === 4 ? [30] : []));

describe('the statistics of a peer', () => {
  it('give one sighting in ten looks the number of validators that arithmetic gives', () => {
    // Two visible slots, one aggregator in 30, 62 subnets: 10 looks see 620 subnets, one of them lit.
    const lightsOneSubnet = -Math.log(1 - (1 / 30) * (2 / (32 * 64)));
    const expected = -Math.log(1 - 1 / 620) / lightsOneSubnet;
    // In an hour the first look has lost three thousandths of its weight.
    expect(estimateOf(watch('Lighthouse', TEN_LOOKS), 'Lighthouse')?.validators).toBeCloseTo(expected, 1);
  });

  it('read early looks with the window of the client that it turns out to be', () => {
    const early = watch('unknown', TEN_LOOKS.slice(0, 6));
    const late = watch('Teku', TEN_LOOKS.slice(6), early);
    const known = estimateOf(watch('Teku', TEN_LOOKS), 'Teku');
    expect(estimateOf(late, 'Teku')?.validators).toBeCloseTo(known?.validators ?? 0, 3);
    expect(late.unknown).toEqual([]);
  });

  it('span all windows while the client is unknown', () => {
    const unknown = estimateOf(watch('unknown', TEN_LOOKS), 'unknown');
    const [widest, narrowest] = (['Lighthouse', 'Teku'] as const).map((client) =>
      estimateOf(watch(client, TEN_LOOKS), client),
    );
    expect(unknown?.low).toBeCloseTo(narrowest?.low ?? 0, 3);
    expect(unknown?.high).toBeCloseTo(widest?.high ?? 0, 3);
    expect(unknown?.validators).toBeGreaterThan(narrowest?.validators ?? 0);
    expect(unknown?.validators).toBeLessThan(widest?.validators ?? 0);
  });

  it('say nothing of a node that subscribes to everything, whether it says so or not', () => {
    const all = [10, 11, 12].map((epoch) => lookAt(epoch, ALL_SUBNETS));
    const declared = lookAt(10, [], { longLived: new Set(ALL_SUBNETS), subscribed: new Set(ALL_SUBNETS) });
    expect(candidates(watch('Lodestar', [...TEN_LOOKS, ...all]), 'Lodestar')).toEqual([]);
    expect(candidates(watch('Teku', [...TEN_LOOKS, declared]), 'Teku')).toEqual([]);
  });

  it('forget such a time once it is over', () => {
    const all = [10, 11, 12, 13].map((epoch) => lookAt(epoch, ALL_SUBNETS));
    const later = [14, 15].map((epoch) => lookAt(epoch, []));
    const with_ = estimateOf(watch('Lodestar', [...TEN_LOOKS, ...all, ...later]), 'Lodestar');
    const without = estimateOf(watch('Lodestar', [...TEN_LOOKS, ...later]), 'Lodestar');
    expect(with_?.validators).toBeCloseTo(without?.validators ?? 0, 4);
  });

  const nearlyAll = ALL_SUBNETS.filter((subnet) => subnet !== 40);

  it('count full looks, as the largest stakers show, for what they are', () => {
    expect(estimateOf(watch('Teku', [lookAt(3, ALL_SUBNETS)]), 'Teku')).toMatchObject({ validators: null, high: null });

    // 61 of 62 lit in one look, 62 of 62 in nine: the share of dark ones is exp(-load), the load of Teku 64 slots' worth.
    const looks = Array.from({ length: 10 }, (_, epoch) => lookAt(epoch, epoch === 0 ? nearlyAll : ALL_SUBNETS));
    const statistics = watch('Teku', looks);
    const perValidator = -2 * Math.log(1 - 32 / (30 * 32 * 64));
    expect(subscribesToAll(statistics, 'Teku')).toBe(false);
    expect(candidates(statistics, 'Teku')[0]?.statistics.observations).toBe(10);
    expect((estimateOf(statistics, 'Teku')?.validators ?? 0) / (Math.log(620) / perValidator)).toBeCloseTo(1, 2);
  });

  it('do not count full looks that no number of validators explains beside the others', () => {
    const fewThenAll = watch('Teku', [...TEN_LOOKS, lookAt(10, ALL_SUBNETS), lookAt(11, ALL_SUBNETS)]);
    expect(candidates(fewThenAll, 'Teku')[0]?.statistics.observations).toBe(10);
    const full = Array.from({ length: 50 }, (_, epoch) => lookAt(epoch, ALL_SUBNETS));
    const allThenFew = watch('Teku', [...full, lookAt(50, [7])]);
    expect(candidates(allThenFew, 'Teku')[0]?.statistics.observations).toBe(1);
    expect(
      subscribesToAll(
        watch('Teku', [...TEN_LOOKS, ...full.map((look) => ({ ...look, epoch: look.epoch + 20 }))]),
        'Teku',
      ),
    ).toBe(true);
  });

  it('learn little from looking at the same duties again and again', () => {
    // Teku shows duties for one to two epochs: four looks an epoch show most of them four times.
    const shortLived = [5, 9, 20, 33, 50];
    const looks = (perEpoch: number) =>
      Array.from({ length: 60 * perEpoch }, (_, index) => {
        const slot = Math.floor((index * 32) / perEpoch);
        return lookAt(Math.floor(slot / 32), shortLived, { slots: { from: slot, to: slot } });
      });
    const spread = (perEpoch: number) => {
      const estimate = estimateOf(watch('Teku', looks(perEpoch)), 'Teku');
      return ((estimate?.high ?? 0) - (estimate?.low ?? 0)) / (estimate?.validators ?? 0);
    };
    expect(spread(4) / spread(1)).toBeGreaterThan(0.75);
    expect(spread(4) / spread(1)).toBeLessThan(1.1);
  });

  it('learn no subnets without a network or a slot', () => {
    const withoutNetwork = TEN_LOOKS.reduce((sum, look) => addLook(sum, look, 'Teku', null), NO_PEER_STATISTICS);
    const withoutSlots = watch(
      'Teku',
      TEN_LOOKS.map((look) => ({ ...look, slots: null })),
    );
    expect(candidates(withoutNetwork, 'Teku')).toEqual([]);
    expect(candidates(withoutSlots, 'Teku')).toEqual([]);
  });
});
