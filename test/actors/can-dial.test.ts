import { expect, it } from 'vitest';
import { canDial, needNotDial } from '../../src/actors/can-dial.ts';
import type { PeerState } from '../../src/actors/peer.ts';
import { knownPeer } from './support/peers.ts';

it.each<[string, Partial<PeerState> | null, boolean, boolean]>([
  ['nobody has heard of', null, false, false],
  ['has no address', { addresses: [] }, false, false],
  ['has an address that was never tried', {}, true, false],
  ['was reached', { wasReached: true }, true, true],
  ['could not be reached the last time', { isUnreachable: true }, false, false],
  ['was reached once, and not the last time', { wasReached: true, isUnreachable: true }, false, false],
])('a peer that %s', (_, changes, dialable, needNot) => {
  const peer = changes === null ? undefined : knownPeer('a', changes);
  expect([canDial(peer), needNotDial(peer)]).toEqual([dialable, needNot]);
});
