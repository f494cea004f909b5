import { describe, expect, it } from 'vitest';
import { estimatorModel } from '../../../src/consensus/estimators/estimator-network.ts';
import type { Method } from '../../../src/consensus/estimators/peer-estimates.ts';
import type { MetadataReceivedEvent } from '../../../src/consensus/events.ts';
import { estimatesOf, observe, type PeerView } from '../../../src/consensus/peer-view.ts';
import { ALL_SUBNETS, EPOCH_MS, NETWORK } from '../../support/consensus/estimators.ts';
import { observation } from '../../support/events.ts';

const model = estimatorModel(NETWORK);
const EPOCH = 480_000;

/** One observation an epoch, each with the short-lived subnets given for it; 11 and 12 are long-lived. */
function watched(shortLived: readonly (readonly number[])[], fields: Partial<MetadataReceivedEvent> = {}): PeerView {
  let view: PeerView | undefined;
  for (const [index, subnets] of shortLived.entries()) {
    const epoch = EPOCH + index;
    const timestamp = NETWORK.genesisTimeMs + epoch * EPOCH_MS + 5_000;
    const seen = {
      epoch,
      timestamp,
      slot: epoch * 32,
      subscribed_subnets: [11, 12, ...subnets],
      event_id: `r:${index}`,
    };
    view = observe(view, observation({ ...seen, client_version: 'Lighthouse/v8.0.1', ...fields }), model);
  }
  if (view === undefined) throw new Error('nothing was watched');
  return view;
}

function saying(view: PeerView, method: Method) {
  return estimatesOf(view, model).methods.find((row) => row.method === method);
}

const QUIET = Array.from({ length: 20 }, () => []);

describe('the estimators, side by side', () => {
  it('each say what they know of the same observations', () => {
    const view = watched([...QUIET, [1, 2, 3], [7], [9]], { custody_group_count: 30 });
    expect(saying(view, 'published')).toMatchObject({ estimate: 3, low: null, high: null, observations: 23 });
    expect(saying(view, 'legacy')).toMatchObject({ estimate: 1, observations: 3 });
    expect(saying(view, 'custody')).toMatchObject({ estimate: 30, low: 1, high: 30, observations: 23 });
    // 5 of 23 · 62 subnets lit; 6.5e-5 is what one validator adds in two visible slots with one aggregator in 30.
    const one = -Math.log(1 - 2 / (30 * 32 * 64)) * 1;
    expect(saying(view, 'subnets')?.estimate).toBeCloseTo(-Math.log(1 - 5 / (23 * 62)) / one, 0);
    expect(saying(view, 'subnets')?.observations).toBe(23);
    expect(saying(view, 'combined')?.estimate).toBe(30);
  });

  it('tell on how many observations they rest, and the time these span', () => {
    const { observations, fromMs, toMs } = estimatesOf(watched(QUIET), model);
    expect(observations).toBe(20);
    expect(toMs - fromMs).toBe(19 * EPOCH_MS);
  });

  it('pin the stake by the custody count, and the count where nothing contradicts it', () => {
    const { combined } = estimatesOf(watched(QUIET, { custody_group_count: 17 }), model);
    expect(combined).toMatchObject({ validators: 17, stakeEthLow: 544, stakeEthHigh: 575, flags: [] });
  });

  it.each<[string, Partial<MetadataReceivedEvent>, (readonly number[])[], string[]]>([
    ['few-observations', {}, [[], []], ['few-observations']],
    ['unknown-client', { client_version: 'rust-libp2p/0.5' }, QUIET, ['unknown-client']],
    ['a client whose window nobody knows', { client_version: 'erigon/caplin/v3' }, QUIET, ['unknown-client']],
    ['supernode', { custody_group_count: 128 }, QUIET, ['supernode']],
    ['custody-conflict', { custody_group_count: 4 }, [...QUIET, [5, 6]], ['custody-conflict']],
    [
      'subscribe-all',
      { custody_group_count: 128 },
      [...QUIET, ALL_SUBNETS, ALL_SUBNETS, ALL_SUBNETS],
      ['subscribe-all', 'supernode'],
    ],
    ['saturated', { client_version: 'teku/v25' }, [ALL_SUBNETS], ['saturated', 'few-observations']],
  ])('flag %s', (_, fields, shortLived, flags) => {
    expect(estimatesOf(watched(shortLived, fields), model).combined.flags).toEqual(flags);
  });

  it('say that nothing is known where nothing is', () => {
    const all = watched([ALL_SUBNETS, ALL_SUBNETS, ALL_SUBNETS], { custody_group_count: 128 });
    expect(estimatesOf(all, model).combined).toMatchObject({
      validators: null,
      low: 0,
      high: null,
      presence: null,
      stakeEthLow: null,
      stakeEthHigh: null,
    });
  });

  it('keep the lower bound of a saturated node', () => {
    const { combined } = estimatesOf(watched([ALL_SUBNETS], { client_version: 'teku/v25' }), model);
    expect(combined.validators).toBeNull();
    expect(combined.low).toBeGreaterThan(1_000);
    expect(combined.high).toBeNull();
  });

  it('learn no more from two crawlers that look in the same slots than from one', () => {
    const sighting = Array.from({ length: 40 }, (_, index) => (index % 4 === 0 ? [index + 15] : []));
    const one = estimatesOf(watched(sighting), model).combined;
    const events = sighting.map((subnets, index) => {
      const epoch = EPOCH + index;
      const timestamp = NETWORK.genesisTimeMs + epoch * EPOCH_MS + 5_000;
      return observation({ epoch, timestamp, slot: epoch * 32, subscribed_subnets: [11, 12, ...subnets] });
    });
    let view: PeerView | undefined;
    for (const [index, event] of events.entries()) {
      for (const crawler of ['a', 'b']) {
        const from = { client_version: 'Lighthouse/v8.0.1', event_id: `${crawler}:${index}` };
        view = observe(view, { ...event, ...from }, model);
      }
    }
    const two = view === undefined ? null : estimatesOf(view, model).combined;
    expect(two?.validators).toBeCloseTo(one.validators ?? 0, 3);
    const width = (high: number | null | undefined, low: number | undefined) => (high ?? 0) - (low ?? 0);
    expect(width(two?.high, two?.low) / width(one.high, one.low)).toBeCloseTo(1, 1);
  });
});
