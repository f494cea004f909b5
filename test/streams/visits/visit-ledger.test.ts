import { describe, expect, it } from 'vitest';
import { createSlots } from '../../../src/streams/flow/slots.ts';
import { createVisitLedger } from '../../../src/streams/visits/visit-ledger.ts';
import { fakeLink } from '../../support/streams/link.ts';

function begun(peerId = 'a', nowMs = 0) {
  const slots = createSlots(9);
  slots.tryTake();
  const ledger = createVisitLedger();
  const lease = ledger.begin(peerId, { slots, nowMs, addresses: ['/ip4/10.0.0.1/tcp/1'] });
  return { slots, ledger, key: { peerId, lease } };
}

describe('createVisitLedger', () => {
  it('gives the slot back once, whoever ends the visit', () => {
    const { slots, ledger, key } = begun();
    expect(ledger.size).toBe(1);
    expect(ledger.end(key)).toMatchObject({ addresses: ['/ip4/10.0.0.1/tcp/1'] });
    expect(slots.taken).toBe(0);
    expect(ledger.end(key)).toBeNull();
    expect(slots.taken).toBe(0);
    expect(ledger.size).toBe(0);
  });

  it('knows an answer to an earlier visit of the same peer to be late', () => {
    const { slots, ledger, key } = begun();
    ledger.end(key);
    slots.tryTake();
    const later = { peerId: 'a', lease: ledger.begin('a', { slots, nowMs: 5, addresses: [] }) };
    expect(later.lease).not.toBe(key.lease);
    expect([ledger.holds(key), ledger.connected(key, fakeLink()), ledger.answered(key), ledger.end(key)]).toEqual([
      false,
      false,
      false,
      null,
    ]);
    expect(slots.taken).toBe(1);
    expect([ledger.holds(later), ledger.answered(later)]).toEqual([true, true]);
  });

  it('names the visits that take too long, with their connections', () => {
    const { ledger, key, slots } = begun('a', 10);
    ledger.begin('b', { slots, nowMs: 20, addresses: [] });
    const link = fakeLink();
    expect(ledger.connected(key, link)).toBe(true);
    expect(ledger.overdue(10)).toEqual([]);
    expect(ledger.overdue(11)).toEqual([{ ...key, link }]);
    expect(ledger.overdue(21).map(({ peerId }) => peerId)).toEqual(['a', 'b']);
  });

  it('does not count as overdue what the stages have answered and the log has not', () => {
    const { ledger, key } = begun();
    expect(ledger.answered(key)).toBe(true);
    expect(ledger.overdue(1e9)).toEqual([]);
    expect(ledger.end(key)).not.toBeNull();
  });
});
