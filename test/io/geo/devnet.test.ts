import { utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { lastValueFrom } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { geoChain } from '../../../src/io/geo/chain.ts';
import { devnetLocator } from '../../../src/io/geo/devnet.ts';
import { GeoError } from '../../../src/io/geo/geo-error.ts';
import { NOWHERE } from '../../../src/streams/ports/geo-locator.ts';
import { NEVER_ABORTED, silent } from '../../support/geo/locators.ts';
import { tempDir } from '../../support/temp-dir.ts';

let folder: Awaited<ReturnType<typeof tempDir>>;
let path: string;
beforeEach(async () => {
  folder = await tempDir();
  path = join(folder.path, 'network.json');
});
afterEach(() => folder.remove());

const NODES = [
  {
    peer_id: 'a',
    multiaddrs: ['/ip4/127.1.2.3/tcp/9000/p2p/a', '/ip4/127.1.2.3/udp/9000/quic-v1/p2p/a', '/ip6/::1/tcp/9000/p2p/a'],
    city: 'Falkenstein',
    country: 'DE',
    asn: 24940,
  },
  {
    peer_id: 'b',
    multiaddrs: ['/ip4/127.1.2.4/tcp/9000/p2p/b'],
    city: 'New York',
    country: 'US',
    asn: 'AS701',
    latitude: 40.7,
    longitude: -74,
  },
  { peer_id: 'c', multiaddrs: ['/ip4/127.1.2.5/tcp/9000/p2p/c'] },
  { peer_id: 'e', multiaddrs: [], dials_from: '127.1.2.6', city: 'Oslo', country: 'NO', asn: 2119 },
  { peer_id: 'd', multiaddrs: [], city: 'Nowhere', country: 'DE', asn: 1 },
];

describe("a devnet's table", () => {
  it('says where its nodes stand, at each of their addresses', async () => {
    await writeFile(path, JSON.stringify({ nodes: NODES }));
    const chain = geoChain([await devnetLocator(path, silent)], silent);
    for (const ip of ['127.1.2.3', '::1']) {
      expect((await lastValueFrom(chain.locate(ip))).location).toEqual({
        place: { city: 'Falkenstein', region: null, country: 'DE', latitude: null, longitude: null, postalCode: null },
        network: { asn: 24940, organization: 'Hetzner Online GmbH', type: 'hosting' },
        hostname: null,
      });
    }
    expect((await lastValueFrom(chain.locate('127.1.2.4'))).location).toMatchObject({
      place: { city: 'New York', latitude: 40.7, longitude: -74 },
      network: { asn: 701, type: 'isp' },
    });
    expect((await lastValueFrom(chain.locate('127.1.2.6'))).location.place?.country).toBe('NO');
    for (const ip of ['127.1.2.5', '127.9.9.9'])
      expect((await lastValueFrom(chain.locate(ip))).location).toEqual(NOWHERE);
  });

  it('is read again when the devnet has changed it, and is new when a node stands elsewhere', async () => {
    const write = async (nodes: readonly object[], timeSec: number) => {
      await writeFile(path, JSON.stringify({ nodes }));
      await utimes(path, timeSec, timeSec);
    };
    await write(NODES.slice(0, 1), 2_000_000_000);
    const locator = await devnetLocator(path, silent);
    const before = await locator.version();
    await write([{ ...NODES[0], long_lived_subnets: [1, 2] }], 2_000_000_001);
    expect(await locator.version()).toBe(before);
    await write(NODES, 2_000_000_002);
    expect(await locator.version()).not.toBe(before);
    expect((await locator.locate('127.1.2.4', NEVER_ABORTED)).place?.country).toBe('US');
  });

  it.each(['{', '{}', '{"nodes": [{"multiaddrs": "x"}]}'])('is refused when it is %s', async (text) => {
    await writeFile(path, text);
    await expect(devnetLocator(path, silent)).rejects.toThrow(GeoError);
  });
});
