import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';

/** A block 127.x.0.0/16 of loopback addresses that no other devnet on this machine uses. */
export interface AddressBlock {
  readonly port: number;
  /** The address of the node with this index. */
  host(index: number): string;
  release(): Promise<void>;
}

/** Nodes are numbered within a /16, below the addresses that guard it. */
export const MAX_NODES = 65_000;
const NODES_PER_OCTET = 250;
const FIRST_OCTET = 20;
const LAST_OCTET = 219;
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
      return {
        port,
        host: (index) => `127.${octet}.${Math.floor(index / NODES_PER_OCTET)}.${(index % NODES_PER_OCTET) + 1}`,
        release,
      };
    }
  }
  throw new Error(
    `no free loopback addresses for a devnet: ports ${PORTS.join(', ')} are in use on all of 127.0.0.0/8`,
  );
}

async function guard(host: string, port: number): Promise<(() => Promise<void>) | null> {
  const tcp = createServer();
  const udp = createSocket('udp4');
  try {
    tcp.listen({ host, port });
    await once(tcp, 'listening');
    udp.bind({ address: host, port });
    await once(udp, 'listening');
  } catch (error) {
    await Promise.all([closed(tcp, tcp.listening), closed(udp, true)]);
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return null;
    throw error;
  }
  return async () => {
    await Promise.all([closed(tcp, true), closed(udp, true)]);
  };
}

async function closed(socket: Server | Socket, open: boolean): Promise<void> {
  if (open) await new Promise<void>((resolve) => socket.close(() => resolve()));
}
