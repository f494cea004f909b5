import type { Identify } from '@libp2p/identify';
import type { Connection } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import { firstValueFrom, NEVER } from 'rxjs';
import { describe, expect, it, vi } from 'vitest';
import { createLogger } from '../../../../src/io/logging/logger.ts';
import { createLink } from '../../../../src/io/network/libp2p/link.ts';

const never = () => new Promise<never>(() => undefined);

function linkTo(connection: Partial<Record<keyof Connection, unknown>>, identified: Record<string, unknown> = {}) {
  return createLink(
    {
      remotePeer: 'peer',
      remoteAddr: multiaddr('/ip4/127.0.0.1/tcp/9000'),
      direction: 'outbound',
      status: 'open',
      timeline: { open: 1, upgraded: 2 },
      ...connection,
    } as unknown as Connection,
    {
      identify: { identify: async () => ({ listenAddrs: [], ...identified }) } as unknown as Identify,
      subscriptions$: NEVER,
      closed$: NEVER,
      logger: createLogger({ level: 'silent', format: 'json' }),
    },
  );
}

const stream = (methods: object) => ({
  protocol: '',
  sink: async () => undefined,
  close: async () => undefined,
  abort: vi.fn(),
  ...methods,
});

describe('hanging up', () => {
  it.each<[string, () => Promise<unknown>]>([
    ['opened', never],
    ['written', async () => stream({ sink: never })],
    ['closed', async () => stream({ close: never })],
    ['spoken', () => Promise.reject(new Error('unsupported'))],
  ])('closes in time although the goodbye is never %s', async (_, newStream) => {
    const close = vi.fn(async () => undefined);
    linkTo({ newStream, close }).hangUp(1n);
    await vi.waitFor(() => expect(close).toHaveBeenCalledOnce(), { timeout: 3_000 });
  });

  it('aborts a connection that does not close', async () => {
    const abort = vi.fn();
    const close = vi.fn(({ signal }: { signal: AbortSignal }) => {
      const { promise, reject } = Promise.withResolvers<never>();
      signal.addEventListener('abort', () => reject(signal.reason));
      return promise;
    });
    linkTo({ newStream: async () => stream({}), close, abort }).hangUp(1n);
    await vi.waitFor(() => expect(abort).toHaveBeenCalledOnce(), { timeout: 4_000 });
  });

  it('happens once, and says nothing on a connection that has ended', async () => {
    const newStream = vi.fn(async () => stream({}));
    const close = vi.fn(async () => undefined);
    const link = linkTo({ newStream, close, status: 'closed' });
    link.hangUp(1n);
    link.hangUp(129n);
    await vi.waitFor(() => expect(close).toHaveBeenCalledOnce());
    expect(newStream).not.toHaveBeenCalled();
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
});
