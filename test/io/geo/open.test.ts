import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { lastValueFrom } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { GeoError } from '../../../src/io/geo/geo-error.ts';
import { type GeoOptions, openGeoLocator } from '../../../src/io/geo/open.ts';
import { recordingLogger, silent } from '../../support/geo/locators.ts';
import { writeMmdb } from '../../support/geo/mmdb-file.ts';
import { tempDir } from '../../support/temp-dir.ts';

let folder: Awaited<ReturnType<typeof tempDir>>;
let all: Required<Omit<GeoOptions, 'order'>>;
beforeEach(async () => {
  folder = await tempDir();
  const file = (name: string) => join(folder.path, name);
  await writeMmdb(file('city.mmdb'), { type: 'City', records: { '8.8.8.0/24': { country: { iso_code: 'LI' } } } });
  await writeFile(file('ip_metadata.csv'), '8.8.8.8,,Bern,Bern,CH,,,,\n');
  await writeFile(file('network.json'), '{"nodes": []}');
  all = {
    mmdbFiles: [file('city.mmdb')],
    ipinfoToken: 'secret',
    ipMetadataFile: file('ip_metadata.csv'),
    devnetFile: file('network.json'),
  };
});
afterEach(() => folder.remove());

describe('the configured sources of locations', () => {
  it('are those that come with the program when nothing is said', async () => {
    expect((await openGeoLocator({}, { logger: silent })).sources).toEqual(['embedded']);
  });

  it('are all that something was given for, the most particular first; reverse DNS only when it is named', async () => {
    const { devnetFile, ...given } = all;
    const particular = ['ip-metadata', 'mmdb', 'ipinfo'];
    expect((await openGeoLocator(given, { logger: silent })).sources).toEqual([...particular, 'embedded']);
    // No data know the loopback addresses of a devnet.
    expect((await openGeoLocator(all, { logger: silent })).sources).toEqual(['devnet', ...particular]);
  });

  it('are asked in the order given', async () => {
    const country = async (order: GeoOptions['order']) => {
      const chain = await openGeoLocator({ ...all, order }, { logger: silent });
      return (await lastValueFrom(chain.locate('8.8.8.8'))).location.place?.country;
    };
    expect(await country(['mmdb', 'ip-metadata'])).toBe('LI');
    expect(await country(['ip-metadata', 'mmdb'])).toBe('CH');
    expect(await country(['devnet', 'embedded', 'mmdb'])).toBe('US');
    expect((await openGeoLocator({ ...all, order: ['mmdb', 'mmdb'] }, { logger: silent })).sources).toEqual(['mmdb']);
  });

  it('may be none, and the log says so', async () => {
    const { logger, lines } = recordingLogger();
    expect((await openGeoLocator({ order: [] }, { logger })).sources).toEqual([]);
    expect(lines.join()).toContain('places stay empty');
  });

  it.each([
    ['mmdb', '--mmdb FILE'],
    ['ipinfo', '--ipinfo-token TOKEN'],
    ['ip-metadata', '--ip-metadata FILE'],
    ['devnet', 'network.json'],
  ] as const)('need what %s needs', async (source, what) => {
    const refused = openGeoLocator({ order: [source] }, { logger: silent });
    await expect(refused).rejects.toBeInstanceOf(GeoError);
    await expect(refused).rejects.toThrow(`"${source}" needs`);
    await expect(refused).rejects.toThrow(what);
  });

  it('never show the token', async () => {
    const { logger, lines } = recordingLogger();
    const chain = await openGeoLocator(all, { logger });
    expect(`${lines.join()}${JSON.stringify(chain)}${(await chain.validVersions()).join()}`).not.toContain('secret');
  });
});
