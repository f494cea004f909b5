import { describe, expect, it } from 'vitest';
import { actionFor, lodestar } from '../../../src/devnet/clients/lodestar.ts';
import type { Asked, RequestEnd, Rules } from '../../../src/devnet/clients/rules.ts';

/** Expected values from `network/reqresp/score.ts`, `network/reqresp/rateLimit.ts` and `network/peers/score/` of Lodestar 1.44. */

const MINUTE_MS = 60_000;
const rules = () => lodestar({ quotaPace: 1, pausePace: 1 });
const asks = (subject: Rules, asked: Asked, nowMs: number) =>
  subject.see('peer', { type: 'request', asked, connectionId: `${nowMs}` }, nowMs);
const disconnects = (subject: Rules, direction: 'inbound' | 'outbound', said: number | null = null) =>
  subject.see('peer', { type: 'disconnected', direction, said }, 0);

describe('a request of Lodestar', () => {
  it.each<[Asked, RequestEnd, number]>([
    ['ping', { how: 'not-spoken' }, -200],
    ['status', { how: 'not-spoken' }, -10],
    ['status', { how: 'fin-in-negotiation' }, -10],
    ['ping', { how: 'reset-in-negotiation' }, -10],
    ['metadata', { how: 'disconnected', negotiated: false }, -10],
    ['metadata', { how: 'disconnected', negotiated: true }, 0],
    ['status', { how: 'reset' }, 0],
    ['status', { how: 'empty' }, 0],
    ['status', { how: 'timeout' }, -10],
    ['blocks', { how: 'timeout' }, -5],
    ['goodbye', { how: 'timeout' }, 0],
    ['status', { how: 'refused', code: 1 }, -10],
    ['status', { how: 'refused', code: 2 }, -5],
    ['blocks', { how: 'refused', code: 3 }, 0],
    ['status', { how: 'refused', code: 139 }, 0],
    ['status', { how: 'refused', code: 77 }, -1],
    ['status', { how: 'malformed' }, -10],
    ['status', { how: 'answered' }, 0],
  ])('%s that ends with %o costs %i', (asked, end, points) => {
    expect(actionFor(asked, end)).toBe(points);
  });
});

describe('Lodestar', () => {
  it('bans for a second Goodbye within 10 s, over all connections', () => {
    const subject = rules();
    expect(asks(subject, 'goodbye', 0)).toEqual({});
    expect(asks(subject, 'goodbye', 9_999)).toMatchObject({ event: 'goodbye rate limit', points: -200 });
    expect(subject.score('peer', 9_999)).toBe(-100);
    expect(subject.isBanned('peer', 9_999)).toBe(true);
  });

  it('takes a Goodbye every 10 s', () => {
    const subject = rules();
    expect([0, 10_000, 20_000].map((atMs) => asks(subject, 'goodbye', atMs))).toEqual([{}, {}, {}]);
  });

  it.each([
    ['status', 5],
    ['ping', 2],
    ['metadata', 2],
  ] as const)('takes %s %i times at once, refuses the next with 2 and bans', (asked, times) => {
    const subject = rules();
    for (let request = 0; request < times; request++) expect(asks(subject, asked, 0)).toEqual({});
    expect(asks(subject, asked, 0)).toMatchObject({ points: -200, refuse: 2 });
  });

  it('says Goodbye at the heartbeat: 250 from -20 on, 251 from -50 on', () => {
    const subject = rules();
    const cut = () =>
      subject.see('peer', { type: 'own-request', asked: 'status', end: { how: 'fin-in-negotiation' } }, 0);
    const standing = { direction: 'inbound', hasLongLivedSubnets: true, atTarget: false } as const;
    const said: unknown[] = [];
    for (let penalty = 0; penalty < 5; penalty++) {
      cut();
      said.push(subject.review('peer', standing, 0).leave?.goodbye);
    }
    expect(said).toEqual([undefined, 250, 250, 250, 251]);
    expect(subject.mayDial('peer', 0)).toBe(false);
  });

  it('does not dial for 5 minutes who has ended a connection of its own, and keeps its score for so long', () => {
    const subject = rules();
    subject.see('peer', { type: 'own-request', asked: 'status', end: { how: 'malformed' } }, 0);
    disconnects(subject, 'inbound');
    expect(subject.mayDial('peer', 5 * MINUTE_MS - 1)).toBe(false);
    expect(subject.mayDial('peer', 5 * MINUTE_MS)).toBe(true);
    expect(subject.score('peer', 5 * MINUTE_MS)).toBe(-10);
    expect(subject.score('peer', 15 * MINUTE_MS)).toBeCloseTo(-5);
  });

  it.each([
    ['outbound', null, 0],
    ['outbound', 129, 5],
    ['inbound', 2, 240],
    ['outbound', 250, 0],
  ] as const)('after an %s connection that ended with our Goodbye %s waits %i minutes', (direction, said, minutes) => {
    const subject = rules();
    disconnects(subject, direction, said);
    if (minutes > 0) expect(subject.mayDial('peer', minutes * MINUTE_MS - 1)).toBe(false);
    expect(subject.mayDial('peer', minutes * MINUTE_MS)).toBe(true);
  });
});
