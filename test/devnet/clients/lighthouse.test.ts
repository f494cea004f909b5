import { describe, expect, it } from 'vitest';
import { grandine } from '../../../src/devnet/clients/grandine.ts';
import { actionFor, lighthouse } from '../../../src/devnet/clients/lighthouse.ts';
import type { Asked, RequestEnd, Rules } from '../../../src/devnet/clients/rules.ts';

/** Expected values from `peer_manager/mod.rs` (handle_rpc_error) and `peer_manager/peerdb/score.rs` of Lighthouse 8.0.1. */

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const rules = () => lighthouse({ pausePace: 1 });
const fails = (subject: Rules, asked: Asked, end: RequestEnd, nowMs = 0) =>
  subject.see('peer', { type: 'own-request', asked, end }, nowMs);
const refused = (code: number): RequestEnd => ({ how: 'refused', code });

describe('a request of Lighthouse', () => {
  it.each<[Asked, RequestEnd, number]>([
    ['status', { how: 'fin-in-negotiation' }, -100],
    ['ping', { how: 'not-spoken' }, -100],
    ['metadata', { how: 'fin-in-negotiation' }, -100],
    ['blocks', { how: 'fin-in-negotiation' }, 0],
    ['goodbye', { how: 'not-spoken' }, 0],
    ['status', { how: 'reset-in-negotiation' }, -1],
    ['status', { how: 'reset' }, -1],
    ['blocks', { how: 'reset' }, -1],
    ['status', { how: 'negotiation-timeout' }, -10],
    ['status', { how: 'empty' }, -5],
    ['status', { how: 'incomplete' }, -5],
    ['blocks', { how: 'empty' }, -10],
    ['status', { how: 'malformed' }, -100],
    ['ping', { how: 'timeout' }, -10],
    ['status', { how: 'timeout' }, 0],
    ['metadata', { how: 'timeout' }, 0],
    ['blocks', { how: 'timeout' }, -5],
    ['status', refused(1), -10],
    ['status', refused(2), -5],
    ['blocks', refused(3), -100],
    ['status', refused(139), -10],
    ['ping', refused(139), -5],
    ['status', refused(200), -1],
    ['status', { how: 'disconnected', negotiated: false }, 0],
    ['status', { how: 'disconnected', negotiated: true }, 0],
    ['status', { how: 'answered' }, 0],
  ])('%s that ends with %o costs %i', (asked, end, points) => {
    expect(actionFor(asked, end)).toBe(points);
  });
});

describe('Lighthouse', () => {
  it('says Goodbye 250 at -20 and bans at -50', () => {
    const subject = rules();
    const verdicts = [1, 2, 3, 4, 5].map(() => fails(subject, 'status', refused(1)));
    expect(verdicts.map(({ leave }) => leave?.goodbye ?? null)).toEqual([null, 250, null, null, 250]);
    expect(subject.isBanned('peer', 0)).toBe(true);
    expect(subject.receive('peer', 0)).toEqual({ type: 'end' });
    expect(subject.receive('another', 0)).toBeNull();
  });

  it('dials nobody at -20 or below, but lets them in', () => {
    const subject = rules();
    fails(subject, 'status', refused(1));
    expect(subject.mayDial('peer', 0)).toBe(true);
    fails(subject, 'status', refused(1));
    expect(subject.mayDial('peer', 0)).toBe(false);
    expect(subject.receive('peer', 0)).toBeNull();
  });

  it('halves a score in 10 minutes', () => {
    const subject = rules();
    fails(subject, 'status', refused(1));
    expect(subject.score('peer', 10 * MINUTE_MS)).toBeCloseTo(-5);
    expect(subject.score('peer', 20 * MINUTE_MS)).toBeCloseTo(-2.5);
  });

  it('bans at once for what is fatal, and forgives nothing for 12 hours', () => {
    const subject = rules();
    expect(fails(subject, 'blocks', refused(3))).toMatchObject({ event: 'blocks refused', points: -100 });
    expect(subject.score('peer', 12 * HOUR_MS)).toBe(-100);
    expect(subject.isBanned('peer', 12 * HOUR_MS + 9 * MINUTE_MS)).toBe(true);
    expect(subject.isBanned('peer', 12 * HOUR_MS + 10 * MINUTE_MS + 1)).toBe(false);
  });

  it('holds nothing against a Goodbye, a cut request, a connection that ends or a dial that fails', () => {
    const subject = rules();
    const nothing = [
      subject.see('peer', { type: 'goodbye', reason: 1 }, 0),
      subject.see('peer', { type: 'cut-request', asked: 'goodbye' }, 0),
      subject.see('peer', { type: 'disconnected', direction: 'inbound', said: null }, 0),
      subject.see('peer', { type: 'dial-failed' }, 0),
    ];
    expect(nothing).toEqual([{}, {}, {}, {}]);
  });

  it('prunes those without long-lived subnets when it has enough peers, and refuses them for 10 minutes', () => {
    const subject = rules();
    const standing = { direction: 'inbound', hasLongLivedSubnets: false, atTarget: true } as const;
    expect(subject.review('peer', { ...standing, atTarget: false }, 0)).toEqual({});
    expect(subject.review('peer', { ...standing, hasLongLivedSubnets: true }, 0)).toEqual({});
    expect(subject.review('peer', standing, 0)).toMatchObject({ leave: { goodbye: 129 } });
    expect(subject.receive('peer', 10 * MINUTE_MS - 1)).toEqual({ type: 'end' });
    expect(subject.receive('peer', 10 * MINUTE_MS)).toBeNull();
    expect(subject.score('peer', 0)).toBe(0);
  });

  it('refuses the pruned for less where slots are shorter', () => {
    const subject = lighthouse({ pausePace: 0.05 });
    subject.review('peer', { direction: 'inbound', hasLongLivedSubnets: false, atTarget: true }, 0);
    expect(subject.receive('peer', 30_000)).toBeNull();
  });
});

describe('Grandine', () => {
  it('has the rules of Lighthouse', () => {
    const subject = grandine({ pausePace: 1 });
    expect(fails(subject, 'status', { how: 'fin-in-negotiation' })).toMatchObject({ points: -100 });
    expect(subject.isBanned('peer', HOUR_MS)).toBe(true);
  });
});
