import { describe, expect, it } from 'vitest';
import { CLIENTS, type LimitedMethod } from '../../src/devnet/clients.ts';
import { createBans, rateLimiter } from '../../src/devnet/limits.ts';

const limiter = (client: 'Lighthouse' | 'Lodestar' | 'Prysm' | 'Grandine', pace = 1) => {
  const { rateLimit } = CLIENTS[client];
  if (rateLimit === null) throw new Error(`${client} has no limits`);
  return rateLimiter(rateLimit, pace);
};

describe('request quotas', () => {
  it.each([
    ['Lighthouse', 'status', 5, 15_000],
    ['Lighthouse', 'ping', 2, 10_000],
    ['Lighthouse', 'metadata', 2, 5_000],
    ['Lodestar', 'status', 5, 15_000],
    ['Lodestar', 'ping', 2, 10_000],
    ['Lodestar', 'metadata', 2, 5_000],
    ['Prysm', 'metadata', 5, 5_000],
  ] as const)('of %s: %s %i in %i ms', (client, method: LimitedMethod, requests, perMs) => {
    const limits = limiter(client);
    for (let sent = 0; sent < requests; sent++) expect(limits.admits('peer', method, 1_000)).toBe(true);
    expect(limits.admits('peer', method, 1_000)).toBe(false);
    expect(limits.admits('another', method, 1_000)).toBe(true);
    const next = 1_000 + perMs / requests;
    expect(limits.admits('peer', method, next - 1)).toBe(false);
    expect(limits.admits('peer', method, next + 1)).toBe(true);
    expect(limits.admits('peer', method, next + 2)).toBe(false);
  });

  it('are shorter where epochs are', () => {
    const limits = limiter('Lighthouse', 0.1);
    expect([1, 2, 3].map(() => limits.admits('peer', 'metadata', 0))).toEqual([true, true, false]);
    expect(limits.admits('peer', 'metadata', 251)).toBe(true);
  });

  it('are answered with 139 by Lighthouse and Grandine, 2 by Lodestar; the last bans', () => {
    expect(CLIENTS.Lighthouse.rateLimit?.result).toBe(139);
    expect(CLIENTS.Grandine.rateLimit?.result).toBe(139);
    expect(CLIENTS.Lodestar.rateLimit?.result).toBe(2);
    expect(CLIENTS.Lodestar.bans.rate).toBeGreaterThanOrEqual(30 * 60_000);
    expect(CLIENTS.Nimbus.bans).toMatchObject({ irrelevant: 24 * 3_600_000, unresponsive: 600_000 });
  });
});

describe('bans', () => {
  it('end, and are not shortened by a lesser one', () => {
    const bans = createBans();
    bans.ban('peer', 1_000);
    bans.ban('peer', 500);
    expect(bans.isBanned('peer', 999)).toBe(true);
    expect(bans.isBanned('peer', 1_000)).toBe(false);
    expect(bans.isBanned('another', 0)).toBe(false);
  });

  it('of more than a thousand peers are forgotten, oldest first', () => {
    const bans = createBans();
    for (let peer = 0; peer <= 1_000; peer++) bans.ban(`${peer}`, 10);
    expect(bans.isBanned('0', 0)).toBe(false);
    expect(bans.isBanned('1', 0)).toBe(true);
  });
});
