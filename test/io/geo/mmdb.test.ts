import { utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { GeoError } from '../../../src/io/geo/geo-error.ts';
import { mmdbLocator } from '../../../src/io/geo/mmdb.ts';
import { NOWHERE } from '../../../src/streams/ports/geo-locator.ts';
import { NEVER_ABORTED, silent } from '../../support/geo/locators.ts';
import { writeMmdb } from '../../support/geo/mmdb-file.ts';
import { tempDir } from '../../support/temp-dir.ts';

let folder: Awaited<ReturnType<typeof tempDir>>;
const file = (name: string) => join(folder.path, name);
beforeEach(async () => {
  folder = await tempDir();
});
afterEach(() => folder.remove());

const CITY = {
  city: { names: { en: 'Zürich' } },
  country: { iso_code: 'CH' },
  location: { latitude: 47.3682, longitude: 8.5671 },
  postal: { code: '8048' },
  subdivisions: [{ iso_code: 'ZH', names: { en: 'Zurich' } }],
};
const ZURICH = {
  city: 'Zürich',
  region: 'Zurich',
  country: 'CH',
  latitude: 47.3682,
  longitude: 8.5671,
  postalCode: '8048',
};

describe('databases in MaxMind format', () => {
  it('are asked together: places from one, networks from another, for both families', async () => {
    await writeMmdb(file('city.mmdb'), {
      type: 'GeoLite2-City',
      records: { '130.60.0.0/16': CITY, '2001:620::/32': CITY },
    });
    await writeMmdb(file('asn.mmdb'), {
      type: 'GeoLite2-ASN',
      records: { '130.60.0.0/16': { autonomous_system_number: 559, autonomous_system_organization: 'SWITCH' } },
    });
    const locator = await mmdbLocator([file('city.mmdb'), file('asn.mmdb')], silent);
    expect(await locator.locate('130.60.1.2', NEVER_ABORTED)).toEqual({
      place: ZURICH,
      network: { asn: 559, organization: 'SWITCH', type: null },
      hostname: null,
    });
    expect(await locator.locate('2001:620::1', NEVER_ABORTED)).toEqual({ ...NOWHERE, place: ZURICH });
    expect(await locator.locate('130.61.0.0', NEVER_ABORTED)).toEqual(NOWHERE);
    expect(locator.attributions[0]?.text).toContain('MaxMind');
  });

  it("are read in IPinfo's form, with the kind of network", async () => {
    const record = {
      asn: 'AS13335',
      as_name: 'Cloudflare, Inc.',
      as_type: 'hosting',
      country: 'Australia',
      country_code: 'AU',
    };
    await writeMmdb(file('core.mmdb'), { type: 'ipinfo core.mmdb', records: { '1.1.1.0/24': record } });
    const locator = await mmdbLocator([file('core.mmdb')], silent);
    expect(await locator.locate('1.1.1.1', NEVER_ABORTED)).toMatchObject({
      place: { country: 'AU' },
      network: { asn: 13335, organization: 'Cloudflare, Inc.', type: 'hosting' },
    });
    expect(locator.attributions[0]?.text).toContain('IPinfo');
  });

  it('of IPv4 alone know nothing of IPv6', async () => {
    await writeMmdb(file('four.mmdb'), { type: 'City', records: { '8.8.8.0/24': CITY }, ipVersion: 4 });
    const locator = await mmdbLocator([file('four.mmdb')], silent);
    expect((await locator.locate('8.8.8.8', NEVER_ABORTED)).place).toEqual(ZURICH);
    expect(await locator.locate('2001:620::1', NEVER_ABORTED)).toEqual(NOWHERE);
  });

  it('are read again when they are replaced, and only then', async () => {
    await writeMmdb(file('city.mmdb'), { type: 'City', records: { '8.8.8.0/24': CITY } });
    const locator = await mmdbLocator([file('city.mmdb')], silent);
    const before = await locator.version();
    expect(await locator.version()).toBe(before);
    await writeMmdb(file('city.mmdb'), { type: 'City', records: { '8.8.8.0/24': { country: { iso_code: 'LI' } } } });
    await utimes(file('city.mmdb'), 1_800_000_000, 1_800_000_000);
    expect(await locator.version()).not.toBe(before);
    expect((await locator.locate('8.8.8.8', NEVER_ABORTED)).place?.country).toBe('LI');
  });

  it.each(['missing.mmdb', 'garbage.mmdb'])('%s: is refused in one line', async (name) => {
    const garbage = new URL('./mmdb.test.ts', import.meta.url).pathname;
    const path = name === 'garbage.mmdb' ? garbage : file(name);
    const refused = mmdbLocator([path], silent);
    await expect(refused).rejects.toThrow(GeoError);
    await expect(refused).rejects.toThrow(new RegExp(`^${path.replaceAll('.', '\\.')}[^\\n]*$`));
  });
});
