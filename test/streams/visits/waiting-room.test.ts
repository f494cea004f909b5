import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ipPrefix } from '../../../src/consensus/address-policy.ts';
import { failure } from '../../../src/consensus/failure.ts';
import { createWaitingRoom, type WaitingRoom } from '../../../src/streams/visits/waiting-room.ts';
import { type ClosableLink, closableLink, type LinkBehaviour } from '../../support/streams/link.ts';

const LATER_MS = 3_000;

interface Limits {
  readonly capacity?: number;
  readonly perIp?: number;
  readonly perPrefix?: number;
  readonly dialable?: readonly string[];
}

function roomWith({ capacity = 9, perIp = 9, perPrefix = 9, dialable = [] }: Limits = {}) {
  const evicted: string[] = [];
  const room = createWaitingRoom({
    capacity,
    perPlace: { perIp, perPrefix },
    isDialable: (peerId) => dialable.includes(peerId),
    onEvicted: ({ peerId }) => evicted.push(peerId),
  });
  return { room, evicted };
}

const from = (peerId: string, ip = '10.0.0.1', behaviour: Partial<LinkBehaviour> = {}): ClosableLink =>
  closableLink({ peerId, address: `/ip4/${ip}/tcp/50123`, direction: 'inbound', ...behaviour });
const ids = (links: readonly { peerId: string }[]) => links.map(({ peerId }) => peerId);

describe('the waiting room', () => {
  it('has those that are kept for good, and the others until their time is over', () => {
    const { room } = roomWith();
    expect(room.keep(from('kept'), LATER_MS)).toBe(true);
    expect(room.hold(from('soon'), 10)).toBe(true);
    expect(room.hold(from('later'), 20)).toBe(true);
    expect(ids(room.waiting())).toEqual(['kept', 'soon', 'later']);
    expect(ids(room.kept())).toEqual(['kept']);
    expect(ids(room.takeOverdue(9))).toEqual([]);
    expect(ids(room.takeOverdue(10))).toEqual(['soon']);
    expect([room.has('kept'), room.has('soon'), room.size]).toEqual([true, false, 2]);
    expect(ids(room.takeOverdue(1e12))).toEqual(['later']);
  });

  it('holds several of one peer', () => {
    const { room } = roomWith();
    for (const untilMs of [10, 20]) room.hold(from('a'), untilMs);
    expect(room.takeOverdue(10)).toHaveLength(1);
    expect(room.has('a')).toBe(true);
  });

  it('takes no more than it has places for, and lets those go first that are only held, the oldest before', () => {
    const { room, evicted } = roomWith({ capacity: 3 });
    room.hold(from('h1'), 10);
    room.keep(from('k1'), LATER_MS);
    room.hold(from('h2'), 10);
    expect([room.keep(from('k2'), LATER_MS), room.hold(from('h3'), 10)]).toEqual([true, true]);
    expect(evicted).toEqual(['h1', 'h2']);
    expect(room.keep(from('k3'), LATER_MS)).toBe(true);
    expect(evicted).toEqual(['h1', 'h2', 'h3']);
    expect([room.keep(from('k4'), LATER_MS), room.hold(from('h4'), 10)]).toEqual([false, false]);
    expect(ids(room.waiting())).toEqual(['k1', 'k2', 'k3']);
  });

  it('lets one go that is kept, for another, if we can dial it by now', () => {
    const { room, evicted } = roomWith({ capacity: 2, dialable: ['b'] });
    for (const peerId of ['a', 'b']) room.keep(from(peerId), LATER_MS);
    expect(room.hold(from('c'), 10)).toBe(false);
    expect(room.keep(from('d'), LATER_MS)).toBe(true);
    expect([evicted, ids(room.kept())]).toEqual([['b'], ['a', 'd']]);
  });

  it.each([
    ['address', { perIp: 2 }, '10.0.0.1', '10.0.0.2'],
    ['neighbourhood', { perPrefix: 2 }, '10.0.0.9', '10.0.1.1'],
  ])('has so many of one %s and no more, whoever it is', (_, limits, near, far) => {
    const { room, evicted } = roomWith(limits);
    room.keep(from('a'), LATER_MS);
    room.hold(from('b'), 10);
    expect(room.hold(from('c', near), 10)).toBe(false);
    expect(room.hold(from('d', far), 10)).toBe(true);
    expect(evicted).toEqual([]);
    // Who is kept has the place of a neighbour that is only held, and of nobody else.
    expect(room.keep(from('e', near), LATER_MS)).toBe(true);
    expect(evicted).toEqual(['b']);
    expect(room.keep(from('f', near), LATER_MS)).toBe(false);
    expect(ids(room.waiting())).toEqual(['a', 'd', 'e']);
  });

  it('keeps one of each peer: the newer, and the older is held for a while', () => {
    const { room, evicted } = roomWith({ perIp: 2 });
    const [older, newer] = [from('a', '10.0.0.1', { openedMs: 1 }), from('a', '10.0.0.1', { openedMs: 2 })];
    room.keep(older, 10);
    expect(room.keep(newer, 10)).toBe(true);
    expect(room.kept()).toEqual([newer]);
    expect(room.keep(older, 10)).toBe(false);
    expect(room.takeOverdue(10)).toEqual([older]);
    expect(evicted).toEqual([]);
  });

  it('gives the place of the older to the newer when there is no other', () => {
    const { room, evicted } = roomWith({ perIp: 1 });
    const [older, newer] = [from('a', '10.0.0.1', { openedMs: 1 }), from('a', '10.0.0.1', { openedMs: 2 })];
    room.keep(older, 10);
    expect(room.keep(newer, 10)).toBe(true);
    expect([evicted, room.waiting()]).toEqual([['a'], [newer]]);
  });

  it('loses neither when the newer finds no room', () => {
    const { room, evicted } = roomWith({ perIp: 1 });
    const older = from('a', '10.0.0.1', { openedMs: 1 });
    room.keep(older, 10);
    room.keep(from('b', '10.0.0.2'), 10);
    expect(room.keep(from('a', '10.0.0.2', { openedMs: 2 }), 10)).toBe(false);
    expect([evicted, room.takeOverdue(1e12)]).toEqual([[], []]);
    expect(room.kept()).toContain(older);
  });

  it('has a connection no more that has ended, and takes none that has', () => {
    const { room } = roomWith({ perIp: 1 });
    const link = from('a');
    room.keep(link, LATER_MS);
    link.close(failure('identify', 'eof'));
    expect([room.size, room.has('a')]).toEqual([0, false]);
    expect(room.keep(link, LATER_MS)).toBe(true);
    expect(room.size).toBe(0);
    expect(room.hold(from('b'), 10)).toBe(true);
  });

  it('has nobody go for a connection that has ended', () => {
    const { room, evicted } = roomWith({ capacity: 2 });
    const [kept, held] = [from('a'), from('b')];
    room.keep(kept, LATER_MS);
    room.hold(held, LATER_MS);
    for (const peerId of ['a', 'c']) {
      const ended = from(peerId, '10.0.0.1', { openedMs: 9 });
      ended.close(failure('identify', 'eof'));
      expect([room.keep(ended, 10), room.hold(ended, 10)]).toEqual([true, true]);
    }
    expect([evicted, room.waiting(), room.kept()]).toEqual([[], [kept, held], [kept]]);
  });

  it('leaves one alone that a visit uses, until it is kept or held anew', () => {
    const { room, evicted } = roomWith({ capacity: 1, dialable: ['a'] });
    const link = from('a');
    room.hold(link, 10);
    room.lend(link);
    expect([room.waiting(), room.takeOverdue(1e12), room.size]).toEqual([[], [], 1]);
    expect(room.keep(from('b'), LATER_MS)).toBe(false);
    expect(room.has('a')).toBe(true);
    expect(room.hold(link, 20)).toBe(true);
    expect(room.takeOverdue(20)).toEqual([link]);
    expect(evicted).toEqual([]);
  });
});

type Deed = (room: WaitingRoom, link: ClosableLink, nowMs: number) => unknown;
const DEEDS: Readonly<Record<string, Deed>> = {
  keep: (room, link, nowMs) => room.keep(link, nowMs + 100),
  hold: (room, link, nowMs) => room.hold(link, nowMs + 100),
  lend: (room, link) => room.lend(link),
  close: (_, link) => link.close(failure('identify', 'eof')),
  sweep: (room, _, nowMs) => room.takeOverdue(nowMs),
};
const IPS = ['10.0.0.1', '10.0.0.2', '10.0.1.1', '10.0.1.2', '192.0.2.1'];

it('never has more than there is room for, in all and of one place, and nobody whose connection has ended', () => {
  const links = fc.record({ peer: fc.nat(9), ip: fc.constantFrom(...IPS) });
  const deeds = fc.array(fc.record({ deed: fc.constantFrom(...Object.keys(DEEDS)), link: fc.nat(19) }), {
    maxLength: 200,
    size: 'max',
  });
  fc.assert(
    fc.property(fc.array(links, { minLength: 20, maxLength: 20 }), deeds, (callers, sequence) => {
      const limits = { capacity: 5, perIp: 2, perPrefix: 3, dialable: ['p1', 'p2'] };
      const { room } = roomWith(limits);
      const all = callers.map(({ peer, ip }, index) => from(`p${peer}`, ip, { openedMs: index }));
      const lent = new Set<ClosableLink>();
      for (const [nowMs, { deed, link }] of sequence.entries()) {
        const one = all[link];
        if (one === undefined) continue;
        const wasHere = room.waiting().includes(one) || lent.has(one);
        const isDone = DEEDS[deed]?.(room, one, nowMs * 10);
        if (deed === 'lend' && wasHere) lent.add(one);
        // Who cannot be kept, for a newer one of the peer, is where it was.
        else if (deed !== 'sweep' && isDone !== false) lent.delete(one);
        const here = [...(room.waiting() as ClosableLink[]), ...lent];
        expect(new Set(here).size).toBe(room.size);
        expect(room.size).toBeLessThanOrEqual(limits.capacity);
        const ips = here.map(({ address }) => address.split('/')[2] ?? '');
        for (const ip of ips) {
          expect(ips.filter((other) => other === ip).length).toBeLessThanOrEqual(limits.perIp);
          const near = ips.filter((other) => ipPrefix(other) === ipPrefix(ip));
          expect(near.length).toBeLessThanOrEqual(limits.perPrefix);
        }
        const kept = ids(room.kept());
        expect(kept).toEqual([...new Set(kept)]);
        for (const { hasClosed } of here) expect(hasClosed()).toBe(false);
      }
    }),
    { numRuns: 100 },
  );
});
