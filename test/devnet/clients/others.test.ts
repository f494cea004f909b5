import { describe, expect, it } from 'vitest';
import { caplin2024, caplin2026 } from '../../../src/devnet/clients/caplin.ts';
import { nimbus } from '../../../src/devnet/clients/nimbus.ts';
import type { Asked, RequestEnd, Rules } from '../../../src/devnet/clients/rules.ts';
import { teku } from '../../../src/devnet/clients/teku.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const PACES = { quotaPace: 1, pausePace: 1 };
const fails = (subject: Rules, end: RequestEnd, nowMs = 0, asked: Asked = 'status') =>
  subject.see('peer', { type: 'own-request', asked, end }, nowMs);
const asks = (subject: Rules, asked: Asked, nowMs: number, connectionId = 'one') =>
  subject.see('peer', { type: 'request', asked, connectionId }, nowMs);

/** `DefaultReputationManager.java`, `DisconnectReason.java`, `Eth2PeerManager.java`, `P2PConfig.java` of 2026. */
describe('Teku', () => {
  it.each([2, 128])('bans for 12 hours a peer that says Goodbye %i, and answers it with the same', (reason) => {
    const subject = teku(PACES);
    subject.see('peer', { type: 'goodbye', reason }, 0);
    expect(subject.receive('peer', 12 * HOUR_MS - 1)).toEqual({ type: 'leave', goodbye: reason });
    expect(subject.mayDial('peer', 12 * HOUR_MS - 1)).toBe(false);
    expect(subject.receive('peer', 12 * HOUR_MS)).toBeNull();
  });

  it.each([1, 3, 129])('waits two minutes before it dials one that says Goodbye %i', (reason) => {
    const subject = teku(PACES);
    expect(subject.see('peer', { type: 'goodbye', reason }, 0)).toEqual({});
    subject.see('peer', { type: 'disconnected', direction: 'inbound', said: null }, 0);
    expect([119_999, 120_000].map((atMs) => subject.mayDial('peer', atMs))).toEqual([false, true]);
    expect(subject.receive('peer', 0)).toBeNull();
  });

  it.each<[RequestEnd, boolean]>([
    [{ how: 'refused', code: 1 }, true],
    [{ how: 'incomplete' }, true],
    [{ how: 'malformed' }, true],
    [{ how: 'empty' }, false],
    [{ how: 'reset' }, false],
    [{ how: 'fin-in-negotiation' }, false],
    [{ how: 'disconnected', negotiated: true }, false],
  ])('leaves after a Status that ends with %o, for 12 hours: %s', (end, isBan) => {
    const subject = teku(PACES);
    expect(fails(subject, end).leave).toEqual({ goodbye: isBan ? 3 : null });
    expect(subject.isBanned('peer', 12 * HOUR_MS - 1)).toBe(isBan);
  });

  it('takes 100 requests a minute on a connection, Goodbye apart, and refuses for two minutes after one more', () => {
    const subject = teku(PACES);
    for (let request = 0; request < 100; request++) asks(subject, 'ping', request);
    expect(asks(subject, 'goodbye', 100)).toEqual({});
    expect(asks(subject, 'ping', 100, 'another')).toEqual({});
    expect(asks(subject, 'status', 100)).toMatchObject({ leave: { goodbye: 130 }, refuse: 1 });
    expect(subject.receive('peer', 100 + 2 * MINUTE_MS - 1)).toEqual({ type: 'leave', goodbye: 130 });
    expect(subject.receive('peer', 100 + 2 * MINUTE_MS)).toBeNull();
  });

  it('says Goodbye 3 after two pings without an answer, and to a dialler without a Status; neither is a ban', () => {
    const subject = teku(PACES);
    expect(fails(subject, { how: 'timeout' }, 0, 'ping').leave).toBeUndefined();
    expect(fails(subject, { how: 'timeout' }, 0, 'ping').leave).toEqual({ goodbye: 3 });
    expect(subject.see('peer', { type: 'no-status' }, 0).leave).toEqual({ goodbye: 3 });
    expect(subject.isBanned('peer', 0)).toBe(false);
  });
});

/** `peer_scores.nim` and the SeenTable times of `eth2_network.nim`. */
describe('Nimbus', () => {
  it('leaves without a Goodbye when a Status fails, and does not dial for 10 minutes', () => {
    const subject = nimbus(PACES);
    expect(fails(subject, { how: 'reset' })).toMatchObject({ points: -50, leave: { goodbye: null } });
    expect(subject.score('peer', 0)).toBe(250);
    expect([10 * MINUTE_MS - 1, 10 * MINUTE_MS].map((atMs) => subject.mayDial('peer', atMs))).toEqual([false, true]);
  });

  it('bans below zero: after one violation, or seven broken requests', () => {
    const subject = nimbus(PACES);
    expect(fails(subject, { how: 'malformed' }, 0, 'ping')).toMatchObject({ points: -500, leave: { goodbye: null } });
    expect(subject.isBanned('peer', 0)).toBe(true);
    const other = nimbus(PACES);
    const banned = [1, 2, 3, 4, 5, 6, 7].map(() => {
      other.see('peer', { type: 'cut-request', asked: 'goodbye' }, 0);
      return other.isBanned('peer', 0);
    });
    expect(banned).toEqual([false, false, false, false, false, false, true]);
  });

  it('dials nobody within a minute after a connection, and forgets the score', () => {
    const subject = nimbus(PACES);
    subject.see('peer', { type: 'cut-request', asked: 'ping' }, 0);
    subject.see('peer', { type: 'disconnected', direction: 'inbound', said: null }, 0);
    expect(subject.score('peer', 0)).toBe(300);
    expect([MINUTE_MS - 1, MINUTE_MS].map((atMs) => subject.mayDial('peer', atMs))).toEqual([false, true]);
  });

  it('has nothing to do with another network for a day', () => {
    const subject = nimbus(PACES);
    expect(subject.see('peer', { type: 'irrelevant', reason: 2 }, 0).leave).toEqual({ goodbye: null });
    expect(subject.mayDial('peer', 24 * HOUR_MS - 1)).toBe(false);
  });
});

/** `ban_on_connection_test.go` and `handlers/rate_limiter.go` of 2026. */
describe('Caplin', () => {
  it('of 2026 dials nobody after 3 failed handshakes, and closes every connection from the 10th on', () => {
    const subject = caplin2026(PACES);
    const seen = Array.from({ length: 10 }, () => {
      const { leave } = fails(subject, { how: 'reset' });
      return [subject.mayDial('peer', 0), leave === undefined];
    });
    expect(seen.slice(0, 2)).toEqual([
      [true, true],
      [true, true],
    ]);
    expect(seen.slice(2, 9)).toEqual(Array(7).fill([false, true]));
    expect(seen[9]).toEqual([false, false]);
    expect(subject.receive('peer', 0)).toEqual({ type: 'leave', goodbye: null });
  });

  it('of 2026 dials again after a handshake that succeeds', () => {
    const subject = caplin2026(PACES);
    for (let failure = 0; failure < 3; failure++) fails(subject, { how: 'reset' });
    fails(subject, { how: 'answered' });
    expect(subject.mayDial('peer', 0)).toBe(true);
  });

  it.each([
    ['status', 5],
    ['metadata', 2],
    ['ping', 2],
    ['goodbye', 1],
  ] as const)('of 2026 takes %s %i times at once, then refuses that for 30 s', (asked, times) => {
    const subject = caplin2026(PACES);
    for (let request = 0; request < times; request++) expect(asks(subject, asked, 0)).toEqual({});
    expect(asks(subject, asked, 1)).toMatchObject({ points: 0, refuse: 2 });
    expect(asks(subject, asked, 30_000)).toMatchObject({ refuse: 2 });
    expect(asks(subject, asked, 30_001)).toEqual({});
  });

  it('of 2024 closes all connections when its Status fails, and remembers nothing', () => {
    const subject = caplin2024();
    expect(fails(subject, { how: 'disconnected', negotiated: true }).leave).toEqual({ goodbye: null });
    expect([subject.mayDial('peer', 0), subject.receive('peer', 0)]).toEqual([true, null]);
  });
});
