import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';

/** A block 127.x.0.0/16 of loopback addresses that no other devnet on this machine uses. */
export interface AddressBlock {
  readonly port: number;
  /** The address of the node with this index. */
  host(index: number): string;
  /** A port of ::1, of which there is only one, that is free for TCP and UDP; the next port is free for UDP. */
  claimIp6Port(): Promise<number>;
  release(): Promise<void>;
}

/** Nodes are numbered within a /16, below addresses where there is nobody, and below those that guard it. */
export const MAX_NODES = 60_000;
/** From this index on there is nobody at the addresses of a block. */
export const FIRST_VACANT_INDEX = 60_250;
export const VACANT_ADDRESSES = 2_500;
const NODES_PER_OCTET = 250;
const FIRST_OCTET = 20;
const LAST_OCTET = 219;
/** Below the ports that Linux gives to outgoing connections. */
const FIRST_IP6_PORT = 10_240;
const IP6_PORTS_PER_BLOCK = 110;
const PORTS = [9000, 19_000, 29_000] as const;

/**
 * Takes the first free block. It stays taken by a TCP and a UDP socket bound to its last address, so that two devnets
 * that start at the same moment cannot take the same one, and the same devnet gets the same addresses when they are free.
 * @throws Error when every block and port is in use.
 */
export async function claimAddressBlock(): Promise<AddressBlock> {
  for (const port of PORTS) {
    for (let octet = FIRST_OCTET; octet <= LAST_OCTET; octet++) {
      const release = await guard(`127.${octet}.255.254`, port);
      if (release === null) continue;
      const ip6Ports = freeIp6Ports(FIRST_IP6_PORT + (octet - FIRST_OCTET) * IP6_PORTS_PER_BLOCK);
      return {
        port,
        host: (index) => `127.${octet}.${Math.floor(index / NODES_PER_OCTET)}.${(index % NODES_PER_OCTET) + 1}`,
        claimIp6Port: async () => {
          const { value, done } = await ip6Ports.next();
          if (done === true) throw new Error('no free ports of ::1 for one more node of a devnet');
          return value;
        },
        release,
      };
    }
  }
  throw new Error(
    `no free loopback addresses for a devnet: ports ${PORTS.join(', ')} are in use on all of 127.0.0.0/8`,
  );
}

/** What the kernel says of ::1 on a machine without IPv6. */
const NO_IP6_CODES: readonly string[] = ['EADDRNOTAVAIL', 'EAFNOSUPPORT', 'EINVAL'];

/** Whether this machine has IPv6 at all. */
export async function hasIp6Loopback(): Promise<boolean> {
  try {
    await (await bound('::1', 0, ['udp'])).release();
    return true;
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (NO_IP6_CODES.includes(code)) return false;
    throw error;
  }
}

async function* freeIp6Ports(first: number): AsyncGenerator<number, void> {
  for (let port = first; port < first + IP6_PORTS_PER_BLOCK; port += 2) {
    if (await isFree('::1', port, ['tcp', 'udp'])) if (await isFree('::1', port + 1, ['udp'])) yield port;
  }
}

async function isFree(host: string, port: number, protocols: readonly Protocol[]): Promise<boolean> {
  const release = await guard(host, port, protocols);
  await release?.();
  return release !== null;
}

type Protocol = 'tcp' | 'udp';

async function guard(
  host: string,
  port: number,
  protocols: readonly Protocol[] = ['tcp', 'udp'],
): Promise<(() => Promise<void>) | null> {
  try {
    const { release } = await bound(host, port, protocols);
    return release;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return null;
    throw error;
  }
}

/** Binds sockets until released. @throws the error of the first that cannot be bound, with none left bound. */
async function bound(
  host: string,
  port: number,
  protocols: readonly Protocol[],
): Promise<{ release: () => Promise<void> }> {
  const stack = new AsyncDisposableStack();
  try {
    if (protocols.includes('tcp')) {
      const server = createServer();
      stack.defer(() => closed(server, server.listening));
      server.listen({ host, port });
      await once(server, 'listening');
    }
    if (protocols.includes('udp')) {
      const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
      stack.defer(() => closed(socket, true));
      socket.bind({ address: host, port });
      await once(socket, 'listening');
    }
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
  return { release: () => stack.disposeAsync() };
}

async function closed(socket: Server | Socket, open: boolean): Promise<void> {
  if (open) await new Promise<void>((resolve) => socket.close(() => resolve()));
}
