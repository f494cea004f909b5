import { describe, expect, it } from 'vitest';
import { estimatorModel } from '../../../src/consensus/estimators/estimator-network.ts';
import { coverageOf, subnetLook } from '../../../src/consensus/estimators/subnet-look.ts';
import { ALL_SUBNETS, NETWORK } from '../../support/consensus/estimators.ts';
import { observation } from '../../support/events.ts';

const model = estimatorModel(NETWORK);
/** From the published sample of 2024: its row lists 49 and 50 as long-lived. */
const RECORD_WITH_49_50 =
  'enr:-Ma4QFhM2BUT69gJPlPh3Mf0WoAxG2fMUYlmUNQGUX3uGJmcNDnyxZYFSIYmR8LAwiOiNPFocStk7wbVFdH7X6qYO3WCcLOHYXR0bmV0c4gAAAAAAAAGAIRldGgykGqVoakEAAAA__________-CaWSCdjSCaXCEIk3uPYRxdWljgiZ9iXNlY3AyNTZrMaEDRpoeA3g_HrFW7VOrHVDUSKaILdnkpSsRXcC8VncEoBSIc3luY25ldHMGg3RjcIImfIN1ZHCCJnw';

const SLOT = 9_000_000;
const SLOT_START_MS = NETWORK.genesisTimeMs + SLOT * 12_000;

describe('subnetLook', () => {
  it('takes the slot of the observer, and lasts as long as the observation', () => {
    const times = { observed_from: SLOT_START_MS + 11_000, observed_to: SLOT_START_MS + 13_000 };
    const event = observation({ slot: SLOT, ...times, timestamp: times.observed_to });
    expect(subnetLook(event, model)).toMatchObject({
      slots: { from: SLOT, to: SLOT + 1 },
      longLived: new Set([11, 12]),
      subscribed: new Set([11, 12, 63]),
      atMs: times.observed_to,
    });
  });

  it('takes what the node was subscribed to at the end, in the slot of the end', () => {
    const times = { observed_from: SLOT_START_MS + 11_000, observed_to: SLOT_START_MS + 13_000 };
    const event = observation({
      slot: SLOT,
      ...times,
      subscribed_subnets: [11, 12, 5, 6],
      current_subnets: [11, 12, 6],
    });
    expect(subnetLook(event, model)).toMatchObject({
      slots: { from: SLOT + 1, to: SLOT + 1 },
      subscribed: new Set([11, 12, 6]),
    });
  });

  it('takes a picture of the end at its word however long the visit took', () => {
    // A node that dials us is held for ten seconds, which are more than an epoch on a devnet.
    const times = { observed_from: SLOT_START_MS, observed_to: SLOT_START_MS + 40 * 12_000 };
    const event = observation({ slot: SLOT, ...times, current_subnets: [11, 12, 6] });
    expect(subnetLook(event, model)?.slots).toEqual({ from: SLOT + 40, to: SLOT + 40 });
  });

  it('takes the slot from the time where the event has none, as from the Go sentry', () => {
    const event = observation({ timestamp: SLOT_START_MS + 11_999 });
    expect(subnetLook(event, model)?.slots).toEqual({ from: SLOT, to: SLOT });
  });

  it.each([
    ['before genesis', { timestamp: NETWORK.genesisTimeMs - 1 }],
    ['that goes backwards', { slot: SLOT, observed_from: SLOT_START_MS, observed_to: SLOT_START_MS - 1 }],
    ['longer than an epoch', { slot: SLOT, observed_from: SLOT_START_MS, observed_to: SLOT_START_MS + 33 * 12_000 }],
  ])('has no slots for an observation %s', (_, fields) => {
    const look = subnetLook(observation(fields), model);
    expect(look).not.toBeNull();
    expect(look?.slots).toBeNull();
  });

  it('knows no slots without a network', () => {
    expect(subnetLook(observation({ slot: SLOT }), null)?.slots).toBeNull();
  });

  it.each([
    ['whose subscriptions are missing', { missing: ['identify', 'subscriptions'] }],
    ['subscribed to nothing, not even to its long-lived subnets', { subscribed_subnets: [] }],
    ['without metadata and record', { metadata: null, enr: 'enr:' }],
  ])('tells nothing of a node %s', (_, fields) => {
    expect(subnetLook(observation(fields), model)).toBeNull();
  });

  it('takes long-lived subnets from the record where there is no metadata', () => {
    const event = observation({ metadata: null, enr: RECORD_WITH_49_50, subscribed_subnets: [49, 50, 9] });
    expect(subnetLook(event, model)?.longLived).toEqual(new Set([49, 50]));
  });

  it('tells partial, full and declared', () => {
    const all = { subscribed_subnets: ALL_SUBNETS };
    const declared = { seq_number: 1, attnets: new Uint8Array(8).fill(255), syncnets: Uint8Array.of(0) };
    const coverage = (fields: Parameters<typeof observation>[0]) => {
      const look = subnetLook(observation(fields), model);
      return look && coverageOf(look);
    };
    expect(coverage({})).toBe('partial');
    expect(coverage(all)).toBe('full');
    expect(coverage({ ...all, metadata: declared })).toBe('declared');
  });
});
