import { describe, expect, it } from 'vitest';
import { isBadResponse, prysm } from '../../../src/devnet/clients/prysm.ts';
import type { Asked, RequestEnd, Rules, Sighting } from '../../../src/devnet/clients/rules.ts';

/** Expected values from `sync/rpc_goodbye.go`, `sync/rate_limiter.go`, `sync/rpc.go` of Prysm and its debug log in a run. */

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const rules = (pausePace = 1) => prysm({ quotaPace: 1, pausePace });
const CUT: Sighting = { type: 'cut-request', asked: 'goodbye' };
const says = (subject: Rules, reason: number) => subject.see('peer', { type: 'goodbye', reason }, 0);
const asks = (subject: Rules, asked: Asked, nowMs: number) =>
  subject.see('peer', { type: 'request', asked, connectionId: 'any' }, nowMs);

describe('Prysm', () => {
  it('bans for the fifth bad response, until one is forgiven an hour after the first', () => {
    const subject = rules();
    const banned = [0, 1, 2, 3, 4].map((minute) => {
      subject.see('peer', CUT, minute * MINUTE_MS);
      return subject.isBanned('peer', minute * MINUTE_MS);
    });
    expect(banned).toEqual([false, false, false, false, true]);
    expect(subject.receive('peer', HOUR_MS - 1)).toEqual({ type: 'leave', goodbye: 3 });
    expect(subject.mayDial('peer', HOUR_MS - 1)).toBe(false);
    expect(subject.receive('peer', HOUR_MS)).toBeNull();
    expect(subject.score('peer', 3 * HOUR_MS)).toBe(2);
  });

  it('counts a request that is cut, but for MetaData, which has no body', () => {
    const subject = rules();
    expect(subject.see('peer', CUT, 0)).toMatchObject({ event: 'goodbye cut', points: 1 });
    expect(subject.see('peer', { type: 'cut-request', asked: 'metadata' }, 0)).toEqual({});
  });

  it('counts a second Goodbye within a second', () => {
    const subject = rules();
    expect(asks(subject, 'goodbye', 0)).toEqual({});
    expect(asks(subject, 'goodbye', 999)).toMatchObject({ event: 'goodbye rate limit', points: 1, refuse: 1 });
    expect(asks(subject, 'goodbye', 2_000)).toEqual({});
  });

  it('takes five requests of a kind at once', () => {
    const subject = rules();
    for (let request = 0; request < 5; request++) expect(asks(subject, 'metadata', 0)).toEqual({});
    expect(asks(subject, 'metadata', 0)).toMatchObject({ points: 1, refuse: 1 });
  });

  it.each([
    [1, HOUR_MS],
    [2, 24 * HOUR_MS],
    [3, 2 * MINUTE_MS],
    [128, 24 * HOUR_MS],
    [129, 5 * MINUTE_MS],
    [250, 2 * HOUR_MS],
    [251, 2 * HOUR_MS],
  ])('after a Goodbye %i waits %i ms before it dials', (reason, backOffMs) => {
    const subject = rules();
    says(subject, reason);
    expect([backOffMs - 1, backOffMs].map((atMs) => subject.mayDial('peer', atMs))).toEqual([false, true]);
  });

  it('waits for a share of an epoch where epochs are shorter, and not at all after a Goodbye it does not know', () => {
    const subject = rules(1 / 24);
    says(subject, 129);
    expect([12_499, 12_500].map((atMs) => subject.mayDial('peer', atMs))).toEqual([false, true]);
    const other = rules();
    says(other, 77);
    expect(other.mayDial('peer', 0)).toBe(true);
  });

  it.each<[Asked, RequestEnd, boolean]>([
    ['status', { how: 'disconnected', negotiated: true }, true],
    ['status', { how: 'refused', code: 1 }, true],
    ['status', { how: 'reset' }, true],
    ['metadata', { how: 'empty' }, true],
    ['ping', { how: 'reset' }, false],
    ['ping', { how: 'refused', code: 1 }, true],
    ['blocks', { how: 'refused', code: 3 }, false],
    ['status', { how: 'answered' }, false],
  ])('counts its %s that ends with %o: %s', (asked, end, counts) => {
    expect(isBadResponse(asked, end)).toBe(counts);
  });

  it('counts a dial that fails, and ends a handshake that fails with Goodbye 3', () => {
    const subject = rules();
    expect(subject.see('peer', { type: 'dial-failed' }, 0)).toMatchObject({ points: 1 });
    const end: RequestEnd = { how: 'disconnected', negotiated: true };
    expect(subject.see('peer', { type: 'own-request', asked: 'status', end }, 0)).toMatchObject({
      points: 1,
      leave: { goodbye: 3 },
    });
  });
});
