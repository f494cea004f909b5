import { utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ipMetadataLocator, readIpMetadataLine } from '../../../src/io/geo/ip-metadata.ts';
import { readDictionary } from '../../../src/io/geo/python-literal.ts';
import { NOWHERE } from '../../../src/streams/ports/geo-locator.ts';
import { NEVER_ABORTED, recordingLogger, silent } from '../../support/geo/locators.ts';
import { tempDir } from '../../support/temp-dir.ts';

const HEAD = '54.184.85.102,ec2-54-184-85-102.us-west-2.compute.amazonaws.com,Boardman,Oregon,US,"45.8399,-119.7006"';
const BOARDMAN = {
  city: 'Boardman',
  region: 'Oregon',
  country: 'US',
  latitude: 45.8399,
  longitude: -119.7006,
  postalCode: '97818',
};
const AMAZON = { asn: 16509, organization: 'Amazon.com, Inc.', type: 'hosting' };
const HOSTNAME = 'ec2-54-184-85-102.us-west-2.compute.amazonaws.com';

describe("a line of the Go program's ip_metadata.csv", () => {
  it.each([
    [
      'with the network as Python prints it',
      `${HEAD},AS16509 Amazon.com Inc.,97818,"{'asn': 'AS16509', 'name': 'Amazon.com, Inc.', 'domain': 'amazon.com', 'route': '54.184.0.0/13', 'type': 'hosting'}"`,
    ],
    [
      'with the network as JSON',
      `${HEAD},,97818,"{""asn"": ""AS16509"", ""name"": ""Amazon.com, Inc."", ""domain"": ""amazon.com"", ""route"": ""54.184.0.0/13"", ""type"": ""hosting""}"`,
    ],
    [
      'with columns after it',
      `${HEAD},x,97818,"{'asn': 'AS16509', 'name': 'Amazon.com, Inc.', 'type': 'hosting', 'route': nan}",America/Los_Angeles,nan`,
    ],
  ])('is read %s', (_, line) => {
    expect(readIpMetadataLine(line)).toEqual({
      ip: '54.184.85.102',
      location: { place: BOARDMAN, network: AMAZON, hostname: HOSTNAME },
    });
  });

  it('is read where it has nothing to say', () => {
    expect(readIpMetadataLine('1.2.3.4,nan,Sydney,New South Wales,AU,"-33.8688,151.2093",,nan,nan')).toEqual({
      ip: '1.2.3.4',
      location: {
        place: {
          city: 'Sydney',
          region: 'New South Wales',
          country: 'AU',
          latitude: -33.8688,
          longitude: 151.2093,
          postalCode: null,
        },
        network: null,
        hostname: null,
      },
    });
    expect(readIpMetadataLine('1.2.3.4,,,,,,,,')?.location).toEqual(NOWHERE);
    expect(readIpMetadataLine('1.2.3.4,,,,US')?.location.place).toMatchObject({ country: 'US', latitude: null });
    expect(readIpMetadataLine('2001:DB8:0:0::1,,Nan,Nan,TH,,,,')).toMatchObject({
      ip: '2001:db8::1',
      location: { place: { city: 'Nan', country: 'TH' } },
    });
  });

  it.each([
    ['a header', 'ip,hostname,city,region,country,loc,org,postal,asn'],
    ['too few fields', '1.2.3.4,host'],
    ['an open quote', '1.2.3.4,host,"city,region,US,"1,2",,,'],
    ['no address', '1.2.3.400,host,city,region,US,"1,2",,,'],
    ['nothing', ''],
  ])('is not taken for one when it is %s', (_, line) => {
    expect(readIpMetadataLine(line)).toBe(null);
  });

  it('does not make it fall over, whatever it is', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (line) => void readIpMetadataLine(line)));
    fc.assert(fc.property(fc.string(), (text) => void readIpMetadataLine(`1.2.3.4,h,c,r,US,"1,2",o,p,${text}`)));
  });
});

describe('a dictionary as Python prints it', () => {
  it.each([
    ['{}', {}],
    ["{'a': 'b'}", { a: 'b' }],
    [`{"a": "b"}`, { a: 'b' }],
    [`{'name': "O'Reilly & \\"Sons\\""}`, { name: `O'Reilly & "Sons"` }],
    [`{'name': 'it\\'s'}`, { name: "it's" }],
    [String.raw`{'a': '\xe9\u0107\\'}`, { a: 'éć\\' }],
    ["{'a': nan, 'b': None, 'c': 12, 'd': True, 'e': 'x'}", { c: '12', d: 'True', e: 'x' }],
    [" { 'a' : 'b , c: {d}' } ", { a: 'b , c: {d}' }],
    ['nan', null],
    ['', null],
    ["{'a': 'b'", null],
    ["{'a'}", null],
    ["{'a': 'b'} x", null],
    ["{'a': {'b': 'c'}}", null],
    ["['a']", null],
  ])('%s', (text, expected) => {
    expect(readDictionary(text)).toEqual(expected);
  });

  it('of any texts is read back', () => {
    const python = (text: string) =>
      `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('\n', '\\n').replaceAll('\r', '\\r')}'`;
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ minLength: 1 }), fc.string({ unit: 'binary' }), { noNullPrototype: true }),
        (entries) => {
          const text = `{${Object.entries(entries)
            .map(([key, value]) => `${python(key)}: ${python(value)}`)
            .join(', ')}}`;
          expect(readDictionary(text)).toEqual(entries);
          expect(readDictionary(JSON.stringify(entries))).toEqual(entries);
        },
      ),
    );
  });

  it('is soon refused however it goes on', () => {
    for (const piece of ["'", "{'", "'a': ", ' ', "\\'"]) {
      const startedMs = performance.now();
      readDictionary(`{${piece.repeat(16_000)}`);
      expect(performance.now() - startedMs).toBeLessThan(500);
    }
  });
});

describe('an ip_metadata file', () => {
  let folder: Awaited<ReturnType<typeof tempDir>>;
  let path: string;
  beforeEach(async () => {
    folder = await tempDir();
    path = join(folder.path, 'ip_metadata.csv');
  });
  afterEach(() => folder.remove());

  it('answers for its addresses, and counts the lines it cannot read', async () => {
    const { logger, lines } = recordingLogger();
    await writeFile(
      path,
      `ip,hostname,city\n${HEAD},,97818,"{'asn': 'AS16509'}"\r\n\n2001:db8::1,,Bern,Bern,CH,,,,\nrubbish"\n`,
    );
    const locator = await ipMetadataLocator(path, logger);
    expect(await locator.locate('54.184.85.102', NEVER_ABORTED)).toMatchObject({ place: BOARDMAN, hostname: HOSTNAME });
    expect((await locator.locate('2001:db8::1', NEVER_ABORTED)).place?.city).toBe('Bern');
    expect(await locator.locate('54.184.85.103', NEVER_ABORTED)).toEqual(NOWHERE);
    expect(lines.join()).toContain('"addresses":2,"unreadable":2');
  });

  it('is read again when it changes', async () => {
    await writeFile(path, '1.2.3.4,,Bern,Bern,CH,,,,\n');
    const locator = await ipMetadataLocator(path, silent);
    const before = await locator.version();
    await writeFile(path, '1.2.3.4,,Graz,Graz,AT,,,,\n');
    await utimes(path, 2_000_000_000, 2_000_000_000);
    expect(await locator.version()).not.toBe(before);
    expect((await locator.locate('1.2.3.4', NEVER_ABORTED)).place?.city).toBe('Graz');
  });
});
