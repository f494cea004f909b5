import type { Identify } from '@libp2p/identify';
import type { Connection } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import { firstValueFrom, NEVER, of, Subject, timer } from 'rxjs';
import { describe, expect, it, vi } from 'vitest';
import { knownClients } from '../../../../src/io/network/libp2p/known-clients.ts';
import { createLink, type LinkContext } from '../../../../src/io/network/libp2p/link.ts';
import { linkContext } from '../../../support/network/link-context.ts';
import { freshLedger } from '../../../support/network/test-host.ts';
import { virtualTime } from '../../../support/virtual-time.ts';

const PRYSM = { clients: knownClients(() => 'Prysm/v7.1.2/c40b59a') };

function linkTo(
  connection: Partial<Record<keyof Connection, unknown>> = {},
  identified: Record<string, unknown> = {},
  context: Partial<LinkContext> = {},
) {
  const identify = { identify: async () => ({ listenAddrs: [], ...identified }) } as unknown as Identify;
  return createLink(aConnection(connection), linkContext({ identify, ...context }));
}

function aConnection(changes: Partial<Record<keyof Connection, unknown>> = {}) {
  return {
    remotePeer: 'peer',
    remoteAddr: multiaddr('/ip4/127.0.0.1/tcp/9000'),
    direction: 'outbound',
    status: 'open',
    timeline: { open: 1, upgraded: 2 },
    streams: [],
    abort: vi.fn(),
    ...changes,
  } as unknown as Connection;
}

/** Where each Goodbye of ours is said. */
function goodbyes() {
  const said: number[] = [];
  const newStream = async () => ({
    sink: async ([request]: readonly Uint8Array[]) => said.push(request?.at(-8) ?? -1),
    close: async () => undefined,
  });
  return { said, newStream };
}

describe('leaving', () => {
  it('a connection that several use ends when the last has left', async () => {
    const { scheduler, advance } = virtualTime();
    const connection = aConnection();
    const context = linkContext({ scheduler });
    const [first, second] = [createLink(connection, context), createLink(connection, context)];
    first.leave('visited');
    first.leave('visited');
    await advance(5_000);
    expect(connection.abort).not.toHaveBeenCalled();
    second.leave('visited');
    await advance(500);
    expect(connection.abort).toHaveBeenCalledOnce();
  });

  it('is called off when somebody takes the connection meanwhile', async () => {
    const { scheduler, advance } = virtualTime();
    const connection = aConnection();
    const context = linkContext({ scheduler });
    createLink(connection, context).leave('declined');
    await advance(100);
    const taken = createLink(connection, context);
    await advance(5_000);
    expect(connection.abort).not.toHaveBeenCalled();
    taken.leave('visited');
    await advance(500);
    expect(connection.abort).toHaveBeenCalledOnce();
  });

  it.each([
    ['a moment', 100, 250],
    ['twice as long', 700, 1_400],
    ['two seconds at most', 4_000, 2_000],
  ])('waits for questions for %s, after a slowest answer of %i ms: %i ms', async (_, answerMs, quietMs) => {
    const { scheduler, advance } = virtualTime();
    const connection = aConnection();
    const identify = async () => {
      await firstValueFrom(timer(answerMs, scheduler));
      return { listenAddrs: [] };
    };
    const link = createLink(connection, linkContext({ scheduler, identify: { identify } as unknown as Identify }));
    link.identify().subscribe();
    await advance(answerMs);
    link.leave('visited');
    await advance(quietMs - 10);
    expect(connection.abort).not.toHaveBeenCalled();
    await advance(110);
    expect(connection.abort).toHaveBeenCalledOnce();
  });

  it('a connection on which no topic was named makes it of no use to others at once', async () => {
    const { scheduler, advance } = virtualTime();
    const connection = aConnection();
    const context = linkContext({ scheduler });
    const other = createLink(connection, context);
    createLink(connection, context).leave('unheard');
    expect(context.claims.isGivenUp(connection)).toBe(true);
    // Who uses it already goes on.
    await advance(5_000);
    expect(connection.abort).not.toHaveBeenCalled();
    other.leave('visited');
    await advance(500);
    expect(connection.abort).toHaveBeenCalledOnce();
  });

  it('makes the connection of no use to others from the end on', async () => {
    const { scheduler, advance } = virtualTime();
    const connection = aConnection();
    const context = linkContext({ scheduler });
    createLink(connection, context).leave('visited');
    expect(context.claims.isGivenUp(connection)).toBe(false);
    await advance(500);
    expect(context.claims.isGivenUp(connection)).toBe(true);
  });

  it.each([
    ['Prysm/v7.1.2/c40b59a', 'outbound', undefined, [1]],
    ['Prysm/v7.1.2/c40b59a', 'inbound', undefined, [129]],
    ['Prysm/v7.1.2/c40b59a', 'inbound', { isDialable: true }, [1]],
    ['Prysm/v7.1.2/c40b59a', 'outbound', { isDialable: false }, [129]],
    ['teku/v26.8.0', 'inbound', undefined, [1]],
    ['Lighthouse/v8.0.1-ced49dd', 'outbound', undefined, []],
    ['Grandine/2.0.0', 'outbound', undefined, []],
    ['lodestar/v1.44.0', 'outbound', undefined, []],
    ['nimbus', 'outbound', undefined, []],
    ['erigon/caplin', 'outbound', undefined, []],
    ['', 'outbound', undefined, []],
  ] as const)('%s, %s, it is told what it gains by and nothing else', async (agent, direction, left, reasons) => {
    const { scheduler, advance } = virtualTime();
    const { said, newStream } = goodbyes();
    const context = linkContext({ scheduler, clients: knownClients(() => agent) });
    createLink(aConnection({ direction, newStream }), context).leave('visited', left);
    await advance(1_000);
    expect(said).toEqual(reasons);
  });

  it('says no second Goodbye within eleven seconds, on whichever connection', async () => {
    const { scheduler, advance } = virtualTime();
    const { said, newStream } = goodbyes();
    const context = linkContext({ scheduler, ...PRYSM });
    const atMs: number[] = [];
    for (let second = 0; second < 30; second++) {
      createLink(aConnection({ newStream, direction: second % 2 ? 'inbound' : 'outbound' }), context).leave('visited');
      await advance(1_000);
      if (said.length > atMs.length) atMs.push(second);
    }
    expect(atMs).toEqual([0, 11, 22]);
  });

  it('knows a client that identify told of while it waited', async () => {
    const { scheduler, advance } = virtualTime();
    const { said, newStream } = goodbyes();
    const context = linkContext({ scheduler });
    createLink(aConnection({ newStream }), context).leave('visited');
    context.clients.note('peer', 'Prysm/v7.1.2/c40b59a');
    await advance(1_000);
    expect(said).toEqual([1]);
  });
});

describe('asking', () => {
  it('again within a quota waits until there is room, and gives up where that is far', async () => {
    const { scheduler, advance } = virtualTime();
    const ledger = freshLedger();
    const causes: unknown[] = [];
    const link = linkTo({ newStream: () => Promise.reject(new Error('asked')) }, {}, { ledger, scheduler });
    const ask = () => link.metaData().subscribe((outcome) => causes.push(outcome.ok || outcome.failure.cause));
    // Two in ten seconds are what the strictest client lets pass: Caplin, cl/sentinel/handlers/rate_limiter.go.
    for (let times = 0; times < 3; times++) ask();
    await advance(10);
    expect(causes).toEqual(['rate_limited', 'unknown', 'unknown']);
    await advance(5_000);
    ask();
    await advance(5_000);
    expect(causes).toHaveLength(3);
    await advance(1_100);
    expect(causes.slice(3)).toEqual(['unknown']);
  });
});

describe('a link', () => {
  it.each([
    ['/ip4/1.2.3.4/tcp/9000/p2p/16Uiu2HAm9dqnTSYPpqFevmJXXvRUavRzcEuYPVS2htkoQLumpu4w', '/ip4/1.2.3.4/tcp/9000', 'tcp'],
    ['/ip4/1.2.3.4/tcp/9000', '/ip4/1.2.3.4/tcp/9000', 'tcp'],
    ['/ip6/::1/udp/9001/quic-v1', '/ip6/::1/udp/9001/quic-v1', 'quic'],
  ])('to %s has its address without the peer id', (remote, address, transport) => {
    expect(linkTo({ remoteAddr: multiaddr(remote) })).toMatchObject({
      peerId: 'peer',
      address,
      transport,
      openedMs: 1,
    });
  });

  it('bounds and cleans what identify says', async () => {
    const listenAddrs = Array.from({ length: 100 }, () => multiaddr('/ip4/1.2.3.4/tcp/1'));
    const identified = { agentVersion: `\u001b[2Jé${'x'.repeat(1_000)}`, listenAddrs };
    const outcome = await firstValueFrom(linkTo({}, identified).identify());
    expect(outcome).toMatchObject({ ok: true });
    if (!outcome.ok) return;
    expect(outcome.value.agent).toBe(`?[2J?${'x'.repeat(251)}`);
    expect(outcome.value.listenAddresses).toHaveLength(32);
    expect(await firstValueFrom(linkTo({}).identify())).toEqual({
      ok: true,
      value: { agent: '', listenAddresses: [] },
    });
  });

  it('asks who somebody is until it is told, and then no more', async () => {
    const identify = vi.fn();
    identify.mockRejectedValueOnce(new Error('not yet'));
    identify.mockResolvedValue({ agentVersion: 'Lighthouse/v8.0.1-ced49dd', listenAddrs: [] });
    const link = linkTo({}, {}, { identify: { identify } as unknown as Identify });
    expect(link.client()).toBe('unknown');
    for (const ok of [false, true, true, true]) expect(await firstValueFrom(link.identify())).toMatchObject({ ok });
    expect(identify).toHaveBeenCalledTimes(2);
    expect(link.client()).toBe('Lighthouse');
  });

  it('for another look is the same connection with what it is subscribed to by now', async () => {
    const standing = vi.fn((_: string, nowMs: number) => of({ atMs: nowMs, changes: [] }));
    const told = new Subject<never>();
    const link = linkTo({}, {}, { book: { of: () => NEVER, standing }, told$: told });
    const again = link.again(5_000);
    expect(again).toMatchObject({ peerId: 'peer', address: link.address, openedMs: 5_000, told$: told });
    expect(await firstValueFrom(again.subscriptions$)).toEqual({ atMs: 5_000, changes: [] });
    expect(standing).toHaveBeenCalledWith('peer', 5_000);
  });
});
