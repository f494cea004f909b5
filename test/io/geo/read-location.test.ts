import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hostname, readLocation } from '../../../src/io/geo/read-location.ts';
import { ASN_TYPES, NOWHERE } from '../../../src/streams/ports/geo-locator.ts';

const MOUNTAIN_VIEW = {
  city: 'Mountain View',
  region: 'California',
  country: 'US',
  latitude: 37.4056,
  longitude: -122.0775,
  postalCode: '94043',
};
const GOOGLE = { asn: 15169, organization: 'Google LLC', type: null };

describe('a record about an address', () => {
  it("is read in MaxMind's form", () => {
    expect(
      readLocation({
        city: { geoname_id: 5375480, names: { de: 'Mountain View (de)', en: 'Mountain View' } },
        continent: { code: 'NA' },
        country: { iso_code: 'US', names: { en: 'United States' } },
        location: { latitude: 37.4056, longitude: -122.0775, accuracy_radius: 1000, time_zone: 'America/Los_Angeles' },
        postal: { code: '94043' },
        registered_country: { iso_code: 'CA' },
        subdivisions: [{ iso_code: 'CA', names: { en: 'California' } }, { names: { en: 'Santa Clara' } }],
      }),
    ).toEqual({ ...NOWHERE, place: MOUNTAIN_VIEW });
    expect(readLocation({ autonomous_system_number: 15169, autonomous_system_organization: 'Google LLC' })).toEqual({
      ...NOWHERE,
      network: GOOGLE,
    });
    expect(readLocation({ traits: { autonomous_system_number: 15169, user_type: 'college' } }).network).toEqual({
      asn: 15169,
      organization: null,
      type: 'education',
    });
    expect(readLocation({ registered_country: { iso_code: 'FR' } }).place?.country).toBe('FR');
  });

  it('is read in the flat form of ip-location-db', () => {
    expect(
      readLocation({
        city: 'Mountain View',
        country_code: 'US',
        latitude: 37.4056,
        longitude: -122.0775,
        postcode: '',
        state1: 'California',
        state2: '',
        timezone: '',
      }),
    ).toEqual({ ...NOWHERE, place: { ...MOUNTAIN_VIEW, postalCode: null } });
  });

  it("is read in the forms of IPinfo's databases", () => {
    const location = {
      city: 'Mountain View',
      region: 'California',
      country: 'US',
      lat: '37.4056',
      lng: '-122.0775',
      postal_code: '94043',
    };
    expect(readLocation(location)).toEqual({ ...NOWHERE, place: MOUNTAIN_VIEW });
    const core = {
      ...location,
      country: 'United States',
      country_code: 'US',
      asn: 'AS15169',
      as_name: 'Google LLC',
      as_domain: 'google.com',
      as_type: 'hosting',
    };
    expect(readLocation(core)).toEqual({
      place: MOUNTAIN_VIEW,
      network: { ...GOOGLE, type: 'hosting' },
      hostname: null,
    });
    const lite = { country: 'China', country_code: 'CN', asn: '', as_name: '' };
    expect(readLocation(lite)).toMatchObject({ place: { country: 'CN', city: null }, network: null });
  });

  it("does not take a network's country for that of the address", () => {
    const asnOnly = { asn: 'AS15169', country: 'US', domain: 'google.com', name: 'Google LLC', type: 'hosting' };
    expect(readLocation(asnOnly)).toEqual({ ...NOWHERE, network: { ...GOOGLE, type: 'hosting' } });
  });

  it("is read in the forms of IPinfo's API", () => {
    const common = {
      ip: '8.8.8.8',
      hostname: 'dns.google',
      city: 'Mountain View',
      region: 'California',
      country: 'US',
    };
    const whole = { ...common, loc: '37.4056,-122.0775', postal: '94043', timezone: 'America/Los_Angeles' };
    expect(readLocation({ ...whole, org: 'AS15169 Google LLC' })).toEqual({
      place: MOUNTAIN_VIEW,
      network: GOOGLE,
      hostname: 'dns.google',
    });
    const asn = { asn: 'AS15169', name: 'Google LLC', domain: 'google.com', route: '8.8.8.0/24', type: 'hosting' };
    expect(readLocation({ ...whole, asn, company: { name: 'Google LLC', type: 'business' } })).toEqual({
      place: MOUNTAIN_VIEW,
      network: { ...GOOGLE, type: 'hosting' },
      hostname: 'dns.google',
    });
    const nested = {
      geo: {
        city: 'Mountain View',
        region: 'California',
        country: 'United States',
        country_code: 'US',
        latitude: 37.4056,
        longitude: -122.0775,
        postal_code: '94043',
      },
      as: { asn: 'AS15169', name: 'Google LLC', type: 'government' },
    };
    expect(readLocation(nested)).toEqual({
      place: MOUNTAIN_VIEW,
      network: { ...GOOGLE, type: 'government' },
      hostname: null,
    });
    expect(readLocation({ ip: '10.0.0.1', bogon: true })).toEqual(NOWHERE);
    expect(readLocation({ ...common, loc: '' }).place).toMatchObject({
      country: 'US',
      latitude: null,
      longitude: null,
    });
  });

  it.each([
    ['a country that is none', { country_code: 'USA', city: 'X' }, NOWHERE],
    ['a country in small letters', { country_code: 'us' }, NOWHERE],
    ['AS 0', { asn: 'AS0', as_name: 'nobody' }, NOWHERE],
    ['an AS number of more than 32 bits', { asn: 'AS4294967296' }, NOWHERE],
    ['an AS number that is half one', { asn: 12.5 }, NOWHERE],
    ['inherited properties', Object.create({ country_code: 'US' }), NOWHERE],
    ['nothing', null, NOWHERE],
    ['a text', 'US', NOWHERE],
  ])('says nothing of %s', (_, record, expected) => {
    expect(readLocation(record)).toEqual(expected);
  });

  it.each([
    ['off Africa', 0, 0],
    ['beyond the pole', 90.1, 10],
    ['beyond the date line', 10, -180.5],
    ['half a pair', 10, undefined],
    ['not numbers', 'north', 'west'],
    ['empty texts', '', ''],
    ['not finite', Number.NaN, Number.POSITIVE_INFINITY],
  ])('has no coordinates %s', (_, latitude, longitude) => {
    expect(readLocation({ country: 'US', latitude, longitude }).place).toMatchObject({
      latitude: null,
      longitude: null,
    });
  });

  it('cleans and bounds texts', () => {
    const { place } = readLocation({
      country: 'US',
      city: ' A\u001b[31m\nB ',
      region: 'x'.repeat(1_000),
      postal: '\u0007',
    });
    expect(place).toMatchObject({ city: 'A [31m B', region: 'x'.repeat(128), postalCode: null });
  });

  it('keeps its form whatever it is', () => {
    const key = fc.constantFrom(
      'country',
      'country_code',
      'city',
      'asn',
      'as',
      'geo',
      'loc',
      'location',
      'latitude',
      'longitude',
      'lat',
      'lng',
      'iso_code',
      'names',
      'en',
      'subdivisions',
      'postal',
      'code',
      'hostname',
      'name',
      'type',
      'org',
      'traits',
      '__proto__',
      'autonomous_system_number',
    );
    const { record } = fc.letrec((tie) => ({
      leaf: fc.oneof(
        fc.constantFrom('US', 'AS1', '1,2', 'hosting', 'AS15169 Google', 'a.example'),
        fc.anything({ maxDepth: 1 }),
        fc.double(),
        fc.string(),
      ),
      record: fc.dictionary(key, fc.oneof({ depthSize: 'small' }, tie('leaf'), tie('record')), {
        noNullPrototype: false,
      }),
    }));
    fc.assert(
      fc.property(fc.oneof(record, fc.anything()), (value) => {
        const { place, network, hostname } = readLocation(value);
        if (place !== null) {
          expect(place.country).toMatch(/^[A-Z]{2}$/);
          expect(place.latitude === null).toBe(place.longitude === null);
          expect(Math.abs(place.latitude ?? 0)).toBeLessThanOrEqual(90);
          expect(Math.abs(place.longitude ?? 0)).toBeLessThanOrEqual(180);
          for (const text of [place.city, place.region, place.postalCode])
            expect(text ?? 'x').toMatch(/^\P{Cc}{1,128}$/u);
        }
        if (network !== null) {
          expect(Number.isInteger(network.asn) && network.asn > 0 && network.asn < 2 ** 32).toBe(true);
          expect([...ASN_TYPES, null]).toContain(network.type);
        }
        expect(hostname ?? 'x').toMatch(/^[a-z0-9_.-]{1,253}$/);
      }),
    );
  });
});

describe('a host name', () => {
  it.each([
    ['dns.google', 'dns.google'],
    ['Static.1-2-3-4.Clients.Example.DE.', 'static.1-2-3-4.clients.example.de'],
    ['_dmarc.example.org', '_dmarc.example.org'],
    ['<script>alert(1)</script>', null],
    ['a b.example', null],
    ['a..b', null],
    ['.', null],
    ['', null],
    ['8.8.8.8', null],
    [`${'a'.repeat(64)}.example`, null],
    [`${'a.'.repeat(126)}aa`, null],
    [42, null],
  ])('%j is %j', (value, expected) => {
    expect(hostname(value)).toBe(expected);
  });
});
