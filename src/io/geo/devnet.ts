import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { z } from 'zod';
import { ipOfMultiaddr } from '../../consensus/address-policy.ts';
import { type GeoLocator, type Location, NOWHERE } from '../../streams/ports/geo-locator.ts';
import type { Logger } from '../logging/logger.ts';
import { openChangingFile } from './changing-file.ts';
import { KNOWN_NETWORKS } from './known-networks.ts';
import { readLocation } from './read-location.ts';
import { sameIp } from './same-ip.ts';

/** Where a devnet's `network.json` says its nodes stand. */
const networkFile = z.object({
  nodes: z.array(
    z.object({
      multiaddrs: z.array(z.string()),
      dials_from: z.string().nullish(),
      city: z.string().nullish(),
      region: z.string().nullish(),
      country: z.string().nullish(),
      latitude: z.number().nullish(),
      longitude: z.number().nullish(),
      postal_code: z.string().nullish(),
      asn: z.union([z.string(), z.number()]).nullish(),
    }),
  ),
});

/**
 * The table of a devnet: its nodes have loopback addresses, which no other source knows.
 * @throws GeoError when the file cannot be read.
 */
export async function devnetLocator(path: string, logger: Logger): Promise<GeoLocator> {
  const file = await openChangingFile(path, readTable, logger);
  return {
    name: 'devnet',
    parts: ['place', 'network'],
    attributions: [],
    maxAgeMs: null,
    async version() {
      await file.version();
      return file.content.digest;
    },
    locate: async (ip) => file.content.places.get(ip) ?? NOWHERE,
    close: async () => {},
  };
}

interface Table {
  readonly places: ReadonlyMap<string, Location>;
  /** A devnet writes its file often, and rarely because a node stands elsewhere. */
  readonly digest: string;
}

async function readTable(path: string): Promise<Table> {
  const { nodes } = networkFile.parse(JSON.parse(await readFile(path, 'utf8')));
  const places = new Map(
    nodes.flatMap((node) => {
      const name = KNOWN_NETWORKS.get(Number(String(node.asn).replace(/^AS/, '')))?.name;
      const location = readLocation({ ...node, as_name: name });
      const ips = [...node.multiaddrs.map(ipOfMultiaddr), node.dials_from ?? null].filter(
        (ip) => ip !== null && isIP(ip) !== 0,
      );
      return ips.map((ip): [string, Location] => [sameIp(ip as string), location]);
    }),
  );
  const digest = createHash('sha256')
    .update(JSON.stringify([...places]))
    .digest('hex')
    .slice(0, 16);
  return { places, digest };
}
