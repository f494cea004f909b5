import { describe, expect, it } from 'vitest';
import {
  addressesToDial,
  dueAtMs,
  isInFlight,
  newPeer,
  type PeerMessage,
  type PeerState,
  peerTransition,
} from '../../src/actors/peer.ts';
import { CAUSES, type Cause, failure, RETRY_CLASS } from '../../src/consensus/failure.ts';

const EPOCH_MS = 32_000;
const NOW_MS = 10 * EPOCH_MS + 5_000;
const A = '/ip4/10.0.0.1/tcp/9000';
const B = '/ip4/10.0.0.2/tcp/9000';
const C = '/ip4/10.0.0.3/tcp/9000';

/** A peer that was observed in epoch 9; it is epoch 10. */
function peer(fields: Partial<PeerState> = {}): PeerState {
  return {
    ...newPeer('a', 0),
    enr: 'enr:5',
    enrSequence: 5n,
    addresses: [A],
    phase: { name: 'known' },
    lastAliveMs: NOW_MS - EPOCH_MS,
    lastObservedEpoch: 9,
    observations: 3,
    agent: 'Teku/v25',
    ...fields,
  };
}

function discovered(fields: Partial<Extract<PeerMessage, { type: 'discovered' }>> = {}): PeerMessage {
  return { type: 'discovered', enr: 'enr:6', enrSequence: 6n, addresses: [B], nowMs: NOW_MS, ...fields };
}

function failed(cause: Cause, dialed: readonly string[] = [A]): PeerMessage {
  return { type: 'failed', failure: failure('dial', cause), dialed, nowMs: NOW_MS, epochMs: EPOCH_MS };
}

function tick(epoch: number): PeerMessage {
  return { type: 'tick', epoch, dueMs: epoch * EPOCH_MS + 1_000, epochMs: EPOCH_MS };
}

const states: Record<string, PeerState> = {
  known: peer(),
  dialing: peer({ phase: { name: 'dialing' } }),
  handshaking: peer({ phase: { name: 'handshaking' } }),
  probing: peer({ phase: { name: 'probing' } }),
  resting: peer({ phase: { name: 'resting', untilMs: null } }),
  scheduled: peer({ phase: { name: 'resting', untilMs: NOW_MS } }),
  'backing-off': peer({ phase: { name: 'backing-off', untilMs: NOW_MS }, failures: 1 }),
  waiting: peer({ phase: { name: 'backing-off', untilMs: Number.POSITIVE_INFINITY }, failures: 1 }),
  forgotten: peer({ phase: { name: 'forgotten' } }),
};

const messages: Record<string, PeerMessage> = {
  'same record': discovered({ enrSequence: 5n }),
  'new record': discovered(),
  due: { type: 'due' },
  dialed: { type: 'dialed', nowMs: NOW_MS, direction: 'outbound' },
  postponed: { type: 'postponed', untilMs: NOW_MS + 1_000 },
  handshaken: { type: 'handshaken' },
  observed: { type: 'observed', nowMs: NOW_MS, epoch: 10, agent: null },
  reset: failed('reset'),
  inbound: { type: 'inbound', nowMs: NOW_MS, epoch: 10 },
  'inbound again': { type: 'inbound', nowMs: NOW_MS, epoch: 9 },
  tick: tick(10),
  'tick again': tick(9),
};

/** The phase that follows, and what is asked for; `=` where nothing changes at all, `~` where the phase stays. */
const TABLE = `
              known        dialing      handshaking  probing      resting      scheduled    backing-off  waiting      forgotten
same record   =            =            =            =            =            =            =            =            =
new record    ~            ~            ~            ~            ~            ~            known        known        =
due           dialing      =            =            =            dialing      dialing      dialing      dialing      =
dialed        =            handshaking  =            =            =            =            =            =            =
postponed     =            backing-off  =            =            =            =            =            =            =
handshaken    =            =            probing      =            =            =            =            =            =
observed      =            resting      resting      resting      =            =            =            =            =
reset         =            backing-off  backing-off  backing-off  =            =            =            =            =
inbound       adopt        decline      decline      decline      adopt        adopt        adopt        adopt        =
inbound again decline      decline      decline      decline      decline      decline      decline      decline      =
tick          =            =            =            =            resting      =            =            =            =
tick again    =            =            =            =            =            =            =            =            =
`;

interface Combination {
  readonly phase: string;
  readonly message: string;
  readonly then: string;
}

const LABEL_WIDTH = 14;
const [header = '', ...rows] = TABLE.trim().split('\n');
const phases = header.trim().split(/\s+/);
const combinations: Combination[] = rows.flatMap((row) => {
  const message = row.slice(0, LABEL_WIDTH).trim();
  return row
    .slice(LABEL_WIDTH)
    .trim()
    .split(/\s+/)
    .map((then, index) => ({ phase: phases[index] ?? '', message, then }));
});

describe('peerTransition', () => {
  it('is described for every phase and every message', () => {
    expect(phases).toEqual(Object.keys(states));
    expect([...new Set(combinations.map(({ message }) => message))]).toEqual(Object.keys(messages));
    expect(combinations).toHaveLength(phases.length * Object.keys(messages).length);
    const types = new Set(Object.values(messages).map(({ type }) => type));
    expect([...types].sort()).toEqual([
      'dialed',
      'discovered',
      'due',
      'failed',
      'handshaken',
      'inbound',
      'observed',
      'postponed',
      'tick',
    ]);
  });

  it.each(combinations)('$phase, $message: $then', ({ phase, message, then }) => {
    const state = states[phase];
    const sent = messages[message];
    if (state === undefined || sent === undefined) throw new Error('not in the table');
    const step = peerTransition(state, sent);
    const effects = step.effects.map(({ type }) => type);
    switch (then) {
      case '=':
        expect(step.state).toBe(state);
        expect(effects).toEqual([]);
        break;
      case '~':
        expect(step.state).not.toBe(state);
        expect(step.state.phase).toBe(state.phase);
        expect(effects).toEqual([]);
        break;
      case 'adopt':
        expect(step.state.phase).toEqual({ name: 'handshaking' });
        expect(effects).toEqual(['adopt']);
        break;
      case 'decline':
        expect(step.state).toBe(state);
        expect(effects).toEqual(['decline']);
        break;
      default:
        expect(step.state.phase.name).toBe(then);
        expect(effects).toEqual([]);
    }
  });

  it('makes a peer due when its first record comes', () => {
    const { state } = peerTransition(newPeer('a', 5), discovered({ enrSequence: 0n }));
    expect(state).toMatchObject({
      enr: 'enr:6',
      enrSequence: 0n,
      addresses: [B],
      phase: { name: 'known' },
      firstSeenMs: 5,
    });
    expect(dueAtMs(state)).toBe(Number.NEGATIVE_INFINITY);
  });

  it('does not visit a peer again this epoch because its first record comes after it was observed inbound', () => {
    const inbound = { ...newPeer('a', 5), lastObservedEpoch: 10, observations: 1 };
    const { state } = peerTransition(inbound, discovered());
    expect(state).toMatchObject({ enr: 'enr:6', addresses: [B], phase: { name: 'resting', untilMs: null } });
  });

  it('takes over a newer record without disturbing the visit that is under way', () => {
    for (const name of ['dialing', 'handshaking', 'probing'] as const) {
      const { state } = peerTransition(peer({ phase: { name }, failures: 2 }), discovered());
      expect(state).toMatchObject({ enr: 'enr:6', enrSequence: 6n, addresses: [B], phase: { name }, failures: 2 });
    }
  });

  it('gives a failing peer another chance when it has moved, and not when it only says something else', () => {
    const failing = peer({
      phase: { name: 'backing-off', untilMs: NOW_MS + 5 },
      failures: 3,
      lastFailure: failure('dial', 'refused'),
    });
    const moved = peerTransition(failing, discovered({ addresses: [B] })).state;
    expect(moved).toMatchObject({ phase: { name: 'known' }, failures: 0, lastFailure: null });
    const stayed = peerTransition(failing, discovered({ addresses: [A] })).state;
    expect(stayed).toMatchObject({ phase: failing.phase, failures: 3, enrSequence: 6n });
  });

  it('keeps what an observation taught', () => {
    const probing = peer({ phase: { name: 'probing' }, failures: 2, lastFailure: failure('dial', 'reset') });
    const { state } = peerTransition(probing, { type: 'observed', nowMs: NOW_MS, epoch: 10, agent: 'Teku/v26' });
    expect(state).toEqual({
      ...probing,
      phase: { name: 'resting', untilMs: null },
      failures: 0,
      lastFailure: null,
      lastAliveMs: NOW_MS,
      lastObservedEpoch: 10,
      observations: 4,
      agent: 'Teku/v26',
    });
    const nameless = peerTransition(probing, { type: 'observed', nowMs: NOW_MS, epoch: 8, agent: null }).state;
    expect(nameless).toMatchObject({ agent: 'Teku/v25', lastObservedEpoch: 9 });
  });

  it('learns from a dial whether it can be dialled, unless that has brought a connection of its own', () => {
    const dialing = peer({ phase: { name: 'dialing' } });
    const dialed = (direction: 'outbound' | 'inbound') =>
      peerTransition(dialing, { type: 'dialed', nowMs: NOW_MS, direction }).state;
    expect(dialed('outbound')).toMatchObject({ isUnreachable: false, wasReached: true });
    expect(dialed('inbound')).toMatchObject({ isUnreachable: false, wasReached: false });
    const refused = peerTransition({ ...dialing, wasReached: true }, failed('refused')).state;
    expect(refused.isUnreachable).toBe(true);
    const overItsOwn = peerTransition(peer({ phase: { name: 'probing' } }), failed('timeout', [])).state;
    expect(overItsOwn.isUnreachable).toBe(false);
    const again = { ...refused, phase: { name: 'dialing' } } as PeerState;
    expect(peerTransition(again, { type: 'dialed', nowMs: NOW_MS, direction: 'inbound' }).state.isUnreachable).toBe(
      true,
    );
  });

  it('counts a connection as a sign of life', () => {
    expect(
      peerTransition(peer({ phase: { name: 'dialing' } }), { type: 'dialed', nowMs: NOW_MS, direction: 'outbound' })
        .state.lastAliveMs,
    ).toBe(NOW_MS);
    expect(peerTransition(peer(), { type: 'inbound', nowMs: NOW_MS, epoch: 10 }).state.lastAliveMs).toBe(NOW_MS);
  });

  it.each(CAUSES.filter((cause) => cause !== 'peer_id_mismatch'))('retries after %s as its class says', (cause) => {
    const probing = peer({ phase: { name: 'probing' } });
    const { state } = peerTransition(probing, failed(cause));
    const untilMs = {
      soon: NOW_MS + EPOCH_MS / 16,
      later: NOW_MS + EPOCH_MS,
      'new-record': Number.POSITIVE_INFINITY,
      'next-epoch': null,
      'when-less-full': NOW_MS + EPOCH_MS / 8,
      'when-forgiven': NOW_MS + EPOCH_MS / 2,
    }[RETRY_CLASS[cause]];
    const name = untilMs === null ? 'resting' : 'backing-off';
    expect(state).toMatchObject({ phase: { name, untilMs }, failures: 1, lastFailure: { cause }, addresses: [A] });
    // Alive but busy: the next tick makes it due again.
    if (untilMs === null) expect(dueAtMs(peerTransition(state, tick(11)).state)).toBe(11 * EPOCH_MS + 1_000);
  });

  it('waits until the moment it is postponed to, and nothing is held against it', () => {
    const dialing = peer({ phase: { name: 'dialing' } });
    const { state } = peerTransition(dialing, { type: 'postponed', untilMs: NOW_MS + 1_000 });
    expect(state).toEqual({ ...dialing, phase: { name: 'backing-off', untilMs: NOW_MS + 1_000 } });
    expect(dueAtMs(state)).toBe(NOW_MS + 1_000);
    expect(peerTransition(state, { type: 'due' }).state).toEqual(dialing);
  });

  it('waits twice as long after each failure in a row', () => {
    let state = peer();
    const waits: number[] = [];
    for (let round = 0; round < 4; round++) {
      state = peerTransition(state, { type: 'due' }).state;
      state = peerTransition(state, failed('timeout')).state;
      waits.push(dueAtMs(state) - NOW_MS);
    }
    expect(waits).toEqual([1, 2, 4, 8].map((epochs) => epochs * EPOCH_MS));
  });

  it('keeps the place of a peer that is still due from the last epoch', () => {
    const overdue = peer({ phase: { name: 'resting', untilMs: 9 * EPOCH_MS } });
    expect(dueAtMs(peerTransition(overdue, tick(10)).state)).toBe(9 * EPOCH_MS);
  });

  describe('with several addresses', () => {
    const [several, alone] = [[A, B, C], [A]];
    const mismatch = (state: PeerState, dialed: readonly string[]) =>
      peerTransition({ ...state, phase: { name: 'dialing' } }, failed('peer_id_mismatch', dialed)).state;

    it('drops none while nobody can say which belongs to somebody else, and then tries them one at a time, at once', () => {
      const state = mismatch(peer({ addresses: several }), several);
      expect(state.addresses).toEqual(several);
      expect(dueAtMs(state)).toBe(NOW_MS);
      expect(addressesToDial(state)).toEqual([A]);
    });

    it('drops the one that was tried alone, and goes on with the next', () => {
      const suspected = mismatch(peer({ addresses: several }), several);
      const state = mismatch(suspected, alone);
      expect(state.addresses).toEqual([B, C]);
      expect(dueAtMs(state)).toBe(NOW_MS);
      expect(addressesToDial(state)).toEqual([B]);
    });

    it('puts one that failed alone for another reason last, and later tries all again', () => {
      const suspected = mismatch(peer({ addresses: several }), several);
      const state = peerTransition({ ...suspected, phase: { name: 'dialing' } }, failed('timeout', alone)).state;
      expect(state.addresses).toEqual([B, C, A]);
      expect(addressesToDial(state)).toEqual([B, C, A]);
      expect(dueAtMs(state)).toBe(NOW_MS + 2 * EPOCH_MS);
    });

    it('finds the one that is right whichever it is', () => {
      for (const right of several) {
        let state = peer({ addresses: several });
        const tried: string[] = [];
        for (let round = 0; round < 10 && state.lastObservedEpoch < 10; round++) {
          const dialed = addressesToDial(state);
          tried.push(dialed.join(' '));
          state = peerTransition(state, { type: 'due' }).state;
          const reached = dialed.length === 1 && dialed[0] === right;
          state = peerTransition(
            state,
            reached ? { type: 'observed', nowMs: NOW_MS, epoch: 10, agent: null } : failed('peer_id_mismatch', dialed),
          ).state;
        }
        expect(state.lastObservedEpoch).toBe(10);
        expect(state.addresses).toContain(right);
        expect(tried).toHaveLength(2 + several.indexOf(right));
      }
    });

    it('waits for a newer record when all of them belong to others', () => {
      let state = mismatch(peer({ addresses: several }), several);
      for (const address of several) state = mismatch(state, [address]);
      expect(state.addresses).toEqual([]);
      expect(dueAtMs(state)).toBe(Number.POSITIVE_INFINITY);
      const moved = peerTransition(state, discovered({ addresses: [B] })).state;
      expect(dueAtMs(moved)).toBe(Number.NEGATIVE_INFINITY);
      expect(addressesToDial(moved)).toEqual([B]);
    });

    it('does not drop an address of a record that came during the visit', () => {
      const dialing = peer({ addresses: [A], phase: { name: 'dialing' } });
      const moved = peerTransition(dialing, discovered({ addresses: [B, C] })).state;
      const state = peerTransition(moved, failed('peer_id_mismatch', [A])).state;
      expect(state.addresses).toEqual([B, C]);
      expect(dueAtMs(state)).toBe(NOW_MS);
    });

    it('keeps the addresses of a peer that dialled us and failed', () => {
      const state = peerTransition(
        peer({ addresses: several, phase: { name: 'handshaking' } }),
        failed('eof', []),
      ).state;
      expect(state.addresses).toEqual(several);
    });
  });

  describe('forgetting', () => {
    const longAgo = NOW_MS - 1_576 * EPOCH_MS;
    const lately = NOW_MS - 1_574 * EPOCH_MS;
    const forgets = (fields: Partial<PeerState>) =>
      peerTransition(peer(fields), { ...tick(10), dueMs: NOW_MS } as PeerMessage).effects.some(
        ({ type }) => type === 'forget',
      );
    const backingOff = { name: 'backing-off', untilMs: NOW_MS } as const;
    const waiting = { name: 'backing-off', untilMs: Number.POSITIVE_INFINITY } as const;

    it.each<[string, Partial<PeerState>, boolean]>([
      ['has not answered for a week and eight visits', { lastAliveMs: longAgo, failures: 8, phase: backingOff }, true],
      ['answered within the week', { lastAliveMs: lately, failures: 80, phase: backingOff }, false],
      [
        'was not tried often, since the crawler was off',
        { lastAliveMs: longAgo, failures: 7, phase: backingOff },
        false,
      ],
      ['waits for a record that does not come', { lastAliveMs: longAgo, failures: 1, phase: waiting }, true],
      [
        'has no address and has not called for a week',
        { lastAliveMs: longAgo, addresses: [], phase: { name: 'resting', untilMs: null } },
        true,
      ],
      [
        'has no address and called within the week',
        { lastAliveMs: lately, addresses: [], phase: { name: 'resting', untilMs: null } },
        false,
      ],
      ['is being visited', { lastAliveMs: longAgo, failures: 8, phase: { name: 'probing' } }, false],
    ])('a peer that %s: %s', (_, fields, expected) => {
      expect(forgets(fields)).toBe(expected);
    });
  });
});

describe('dueAtMs', () => {
  it.each(
    Object.entries({
      known: Number.NEGATIVE_INFINITY,
      dialing: Number.POSITIVE_INFINITY,
      handshaking: Number.POSITIVE_INFINITY,
      probing: Number.POSITIVE_INFINITY,
      resting: Number.POSITIVE_INFINITY,
      scheduled: NOW_MS,
      'backing-off': NOW_MS,
      waiting: Number.POSITIVE_INFINITY,
      forgotten: Number.POSITIVE_INFINITY,
    }),
  )('of %s is %d, and never comes for a peer without addresses', (name, dueMs) => {
    const state = states[name];
    if (state === undefined) throw new Error('no such state');
    expect(dueAtMs(state)).toBe(dueMs);
    expect(dueAtMs({ ...state, addresses: [] })).toBe(Number.POSITIVE_INFINITY);
    expect(isInFlight(state)).toBe(['dialing', 'handshaking', 'probing'].includes(name));
  });
});
