import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { estimatorModel } from '../../../../src/consensus/estimators/estimator-network.ts';
import { estimatesOf, NO_EVIDENCE, observe, type PeerView } from '../../../../src/consensus/peer-view.ts';
import { decodeEvidence, encodeEvidence } from '../../../../src/io/storage/tracker/estimator-state.ts';
import { observation } from '../../../support/events.ts';

const GENESIS_MS = 1_606_824_023_000;
const model = estimatorModel({ genesisTimeMs: GENESIS_MS, slotMs: 12_000, slotsPerEpoch: 32, activeValidators: 1e6 });

const anyEvent = fc
  .record({
    slot: fc.integer({ min: 0, max: 40_000_000 }),
    subscribed_subnets: fc.oneof(
      fc.uniqueArray(fc.integer({ min: 0, max: 63 })),
      fc.constant(Array.from({ length: 64 }, (_, subnet) => subnet)),
    ),
    client_version: fc.constantFrom('', 'Prysm/v7', 'teku/v25', 'Lighthouse/v8', 'rust-libp2p', 'erigon/caplin'),
    custody_group_count: fc.option(fc.integer({ min: 0, max: 128 })),
    attnets: fc.constantFrom(new Uint8Array(8), new Uint8Array(8).fill(255), Uint8Array.of(3, 0, 0, 0, 0, 0, 0, 0)),
  })
  .map(({ attnets, slot, ...fields }) =>
    observation({
      ...fields,
      slot,
      epoch: Math.floor(slot / 32),
      timestamp: GENESIS_MS + slot * 12_000,
      metadata: { seq_number: 1, attnets, syncnets: Uint8Array.of(0) },
    }),
  );

describe('the stored state of the estimators', () => {
  it('is to the bit what was computed, whenever it is written and read between', () => {
    fc.assert(
      fc.property(fc.array(anyEvent, { minLength: 1, maxLength: 25 }), (events) => {
        let kept: PeerView | undefined;
        let stored: PeerView | undefined;
        for (const event of events) {
          kept = observe(kept, event, model);
          const next = observe(stored, event, model);
          stored = { ...next, evidence: decodeEvidence(encodeEvidence(next.evidence)) };
        }
        expect(stored).toEqual(kept);
        if (stored !== undefined && kept !== undefined)
          expect(estimatesOf(stored, model)).toEqual(estimatesOf(kept, model));
      }),
    );
  });

  it('is small where nothing has been seen, and a few hundred bytes after a month in every slot of the epoch', () => {
    expect(encodeEvidence(NO_EVIDENCE).length).toBeLessThan(50);
    let view: PeerView | undefined;
    for (let epoch = 0; epoch < 30 * 225; epoch++) {
      const slot = epoch * 32 + ((epoch * 7) % 32);
      const subscribed_subnets = [0, 1, ...Array.from({ length: epoch % 50 }, (_, index) => index + 2)];
      const timestamp = GENESIS_MS + slot * 12_000;
      const metadata = { seq_number: 1, attnets: Uint8Array.of(3, 0, 0, 0, 0, 0, 0, 0), syncnets: Uint8Array.of(0) };
      const client_version = 'Prysm/v7';
      view = observe(
        view,
        observation({ slot, epoch, timestamp, subscribed_subnets, metadata, client_version }),
        model,
      );
    }
    expect(encodeEvidence(view?.evidence ?? NO_EVIDENCE).length).toBeLessThan(700);
  });

  it('refuses what another program has written', () => {
    expect(() => decodeEvidence(Buffer.from([9, 0, 0]))).toThrow(/format 9/);
    expect(() => decodeEvidence(Buffer.alloc(0))).toThrow();
  });
});
