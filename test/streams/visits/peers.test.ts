import { describe, expect, it } from 'vitest';
import { createPeers } from '../../../src/streams/visits/peers.ts';
import { CLOCK } from '../../support/streams/network.ts';
import { knownPeer } from '../../support/streams/pipeline.ts';

const INBOUND = { type: 'inbound', nowMs: 0, epoch: 0 } as const;

describe('createPeers', () => {
  it('answers a message with the effects that it has, and not with those of the one before', () => {
    const { send, registry } = createPeers({ clock: CLOCK, maxPeers: 9, restored: [] });
    expect(send('a', INBOUND)).toEqual([{ type: 'adopt' }]);
    expect(send('a', INBOUND)).toEqual([{ type: 'decline' }]);
    expect(send('a', { type: 'handshaken' })).toEqual([]);
    expect(registry.get('a')?.phase.name).toBe('probing');
  });

  it('goes on with peers of an earlier run, and wakes whoever waits when one is due at another moment', () => {
    const { send, registry, wake$ } = createPeers({ clock: CLOCK, maxPeers: 9, restored: [knownPeer('a')] });
    let woken = 0;
    wake$.subscribe(() => {
      woken++;
    });
    expect(registry.takeDue(0)?.peerId).toBe('a');
    expect(woken).toBe(0);
    send('a', { type: 'postponed', untilMs: 7 });
    expect(woken).toBe(1);
  });
});
