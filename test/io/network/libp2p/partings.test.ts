import { firstValueFrom } from 'rxjs';
import { describe, expect, it, vi } from 'vitest';
import { createPartings } from '../../../../src/io/network/libp2p/partings.ts';
import { barePeer } from '../../../support/network/bare-peer.ts';
import { aHost, visitTo } from '../../../support/network/test-host.ts';

describe('a peer that was just left', () => {
  it('is not dialled anew for a second, and others are', () => {
    let nowMs = 50;
    const partings = createPartings(() => nowMs);
    expect(partings.pauseMs('a')).toBe(0);
    partings.ended('a');
    nowMs += 400;
    expect([partings.pauseMs('a'), partings.pauseMs('b')]).toEqual([600, 0]);
    partings.ended('a');
    nowMs += 1_000;
    expect(partings.pauseMs('a')).toBe(0);
  });

  it('has one connection at a time, on the wire as well', async () => {
    const host = await aHost();
    const peer = await barePeer();
    const first = await visitTo(host, peer);
    const ended = firstValueFrom(first.closed$).then(() => Date.now());
    first.leave('visited');
    const endedMs = await ended;
    const second = await visitTo(host, peer);
    expect(second.openedMs - endedMs).toBeGreaterThanOrEqual(950);
    second.leave('visited');
    await vi.waitFor(async () => expect((await host.held()).connections).toBe(0));
    await peer.stop();
    await host.stop();
  });
});
