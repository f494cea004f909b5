import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canDial, needNotDial } from '../../src/actors/can-dial.ts';
import {
  addressesToDial,
  dueAtMs,
  isInFlight,
  newPeer,
  type PeerMessage,
  type PeerState,
  peerTransition,
} from '../../src/actors/peer.ts';
import { CAUSES, STAGES } from '../../src/consensus/failure.ts';

const EPOCH_MS = 32_000;

const addresses = fc.uniqueArray(fc.constantFrom('/ip4/10.0.0.1/tcp/1', '/ip4/10.0.0.2/tcp/1', '/ip4/10.0.0.3/tcp/1'));

/** Any message, in any order; times are filled in as they go by. */
const anyMessage: fc.Arbitrary<PeerMessage> = fc.oneof(
  fc.record({
    type: fc.constant('discovered'),
    enr: fc.constantFrom('enr:1', 'enr:2'),
    enrSequence: fc.bigInt(0n, 6n),
    addresses,
    nowMs: fc.constant(0),
  }),
  fc.record({ type: fc.constant('due') }),
  fc.record({
    type: fc.constant('dialed'),
    nowMs: fc.constant(0),
    direction: fc.constantFrom('outbound', 'inbound'),
  }),
  fc.record({ type: fc.constant('handshaken') }),
  fc.record({
    type: fc.constant('observed'),
    nowMs: fc.constant(0),
    epoch: fc.integer({ min: -1, max: 5 }),
    agent: fc.constantFrom(null, 'Lodestar'),
  }),
  fc.record({
    type: fc.constant('failed'),
    failure: fc.record({ stage: fc.constantFrom(...STAGES), cause: fc.constantFrom(...CAUSES) }),
    dialed: addresses,
    nowMs: fc.constant(0),
    epochMs: fc.constant(EPOCH_MS),
  }),
  fc.record({ type: fc.constant('inbound'), nowMs: fc.constant(0), epoch: fc.nat(5) }),
  fc.record({ type: fc.constant('tick'), epoch: fc.nat(5), dueMs: fc.nat(200_000), epochMs: fc.constant(EPOCH_MS) }),
) as fc.Arbitrary<PeerMessage>;

interface Happened {
  readonly before: PeerState;
  readonly message: PeerMessage;
  readonly after: PeerState;
  readonly effects: readonly string[];
}

function live(messages: readonly PeerMessage[]): Happened[] {
  let state = newPeer('a', 0);
  return messages.map((given, index) => {
    const message = 'nowMs' in given ? { ...given, nowMs: index * 1_000 } : given;
    const before = state;
    const step = peerTransition(before, message);
    state = step.state;
    return { before, message, after: state, effects: step.effects.map(({ type }) => type) };
  });
}

function always(holds: (happened: Happened) => void): void {
  fc.assert(
    fc.property(fc.array(anyMessage, { maxLength: 60 }), (messages) => {
      for (const happened of live(messages)) holds(happened);
    }),
    { numRuns: 500 },
  );
}

describe('any sequence of messages', () => {
  it('never has a peer in flight twice', () => {
    always(({ before, message, after, effects }) => {
      if (effects.includes('adopt')) expect(isInFlight(before)).toBe(false);
      if (isInFlight(before) && message.type === 'due') expect(after).toBe(before);
      if (isInFlight(before) && isInFlight(after) && message.type !== 'discovered') {
        // What is in flight only moves on.
        const order = ['dialing', 'handshaking', 'probing'];
        expect(order.indexOf(after.phase.name)).toBeGreaterThanOrEqual(order.indexOf(before.phase.name));
      }
      if (isInFlight(after)) expect(dueAtMs(after)).toBe(Number.POSITIVE_INFINITY);
    });
  });

  it('counts an observation only at the end of a visit, and never takes one back', () => {
    always(({ before, message, after }) => {
      const counted = after.observations - before.observations;
      expect(counted).toBe(message.type === 'observed' && isInFlight(before) ? 1 : 0);
      expect(after.lastObservedEpoch).toBeGreaterThanOrEqual(before.lastObservedEpoch);
    });
  });

  it('never goes back to an older record', () => {
    always(({ before, message, after }) => {
      expect(after.enrSequence).toBeGreaterThanOrEqual(before.enrSequence);
      if (after.enr !== before.enr) expect(message.type).toBe('discovered');
    });
  });

  it('never makes a peer due that has no address', () => {
    always(({ after }) => {
      if (after.addresses.length === 0) expect(dueAtMs(after)).toBe(Number.POSITIVE_INFINITY);
    });
  });

  it('never makes up an address, and has one to dial when it has any', () => {
    always(({ before, message, after }) => {
      const source = message.type === 'discovered' ? message.addresses : before.addresses;
      for (const address of after.addresses) expect([...source, ...before.addresses]).toContain(address);
      expect(new Set(after.addresses).size).toBe(after.addresses.length);
      expect(addressesToDial(after).length > 0).toBe(after.addresses.length > 0);
    });
  });

  it('never turns time back', () => {
    always(({ before, after }) => {
      expect(after.lastAliveMs).toBeGreaterThanOrEqual(before.lastAliveMs);
      expect(after.firstSeenMs).toBe(before.firstSeenMs);
    });
  });

  it('answers every connection of a stranger with one verdict', () => {
    always(({ before, message, effects }) => {
      const verdicts = effects.filter((effect) => effect === 'adopt' || effect === 'decline');
      const asked = message.type === 'inbound' && before.phase.name !== 'forgotten';
      expect(verdicts).toHaveLength(asked ? 1 : 0);
    });
  });

  it('says that a peer can be dialled only of one that was, at the last try', () => {
    fc.assert(
      fc.property(fc.array(anyMessage, { maxLength: 60 }), (messages) => {
        let lastTry: boolean | null = null;
        for (const { before, message, after } of live(messages)) {
          const isDialling = before.phase.name === 'dialing';
          if (message.type === 'dialed' && message.direction === 'outbound' && isDialling) lastTry = true;
          if (message.type === 'failed' && message.dialed.length > 0 && isInFlight(before)) lastTry = false;
          expect(needNotDial(after)).toBe(lastTry === true && after.addresses.length > 0);
          expect(canDial(after)).toBe(lastTry !== false && after.addresses.length > 0);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('lets nothing follow once a peer is forgotten', () => {
    always(({ before, after }) => {
      if (before.phase.name === 'forgotten') expect(after).toBe(before);
    });
  });

  it('observes a peer at most once an epoch by its own doing', () => {
    always(({ before, message, after }) => {
      if (message.type !== 'tick' || before.lastObservedEpoch < message.epoch) return;
      expect(after.phase).toBe(before.phase);
    });
  });
});
