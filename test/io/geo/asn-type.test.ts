import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readAsnRanges } from '../../../src/io/geo/asn-ranges.ts';
import { asnTypeOf } from '../../../src/io/geo/asn-type.ts';
import { KNOWN_NETWORKS } from '../../../src/io/geo/known-networks.ts';

/** None of these numbers is among the known networks: the name decides. */
const UNKNOWN_ASN = 4_200_000_000;

describe('what kind of network it is', () => {
  it.each([
    // Universities and research networks.
    ['Technische Universität München', 'education'],
    ['Massachusetts Institute of Technology', 'education'],
    ['UNIVERSIDAD DE CHILE', 'education'],
    ['Université de Montréal', 'education'],
    ['Kauno Technologijos Universitetas', 'education'],
    ['Politecnico di Milano', 'education'],
    ['Fulton County Schools', 'education'],
    ['Croatian Academic and Research Network', 'education'],
    // Public bodies.
    ['DoD Network Information Center', 'government'],
    ['Ministerio de Hacienda', 'government'],
    ['City of Chicago', 'government'],
    ['Tribunal Regional Federal da 4ª Regiao', 'government'],
    // Where machines are let.
    ['Amazon Data Services Ireland Ltd', 'hosting'],
    ['Hetzner Online GmbH', 'hosting'],
    ['OVH Hosting, Inc.', 'hosting'],
    ['Anexia Cloud Solutions GmbH', 'hosting'],
    ['ColoCrossing', 'hosting'],
    ['RackNerd LLC', 'hosting'],
    ['UAB Cherry Servers', 'hosting'],
    ['SkyLink Data Center BV', 'hosting'],
    ['Huawei Cloud Service data center', 'hosting'],
    ['LEASEWEB SINGAPORE PTE. LTD.', 'hosting'],
    ['HostRoyale Technologies Pvt Ltd', 'hosting'],
    ['Netwise Hosting Ltd', 'hosting'],
    // Those who connect homes and firms.
    ['Deutsche Telekom AG', 'isp'],
    ['Telefónica de España S.A.U.', 'isp'],
    ['Comcast Cable Communications, LLC', 'isp'],
    ['Cox Communications Inc.', 'isp'],
    ['Vodafone Italia S.p.A.', 'isp'],
    ['China Unicom Beijing Province Network', 'isp'],
    ['Excitel Broadband Private Limited', 'isp'],
    ['Stadtwerke Konstanz GmbH', 'isp'],
    ['Purefibre Internet Ltd.', 'isp'],
    ['Colombia Telecomunicaciones S.A. ESP', 'isp'],
    ['NetCologne Gesellschaft fur Telekommunikation mbH', 'isp'],
    // Firms that run a network for themselves.
    ['Landesbank Baden-Wuerttemberg', null],
    ['Bank of America, National Association', 'business'],
    ['Boston Children’s Hospital', 'business'],
    ['Henkel Industries', 'business'],
    ['Holland & Knight LLP', 'business'],
    ['China Petroleum & Chemical Corporation', 'business'],
    // Names that tell nothing, or hide a word in another.
    ['Dongyu Zhang', null],
    ['FastTrack Delivery', null],
    ['Colorado Springs Ventures', null],
    ['Hostel Berlin Mitte', null],
    ['', null],
  ])('%s: %s', (name, type) => {
    expect(asnTypeOf(UNKNOWN_ASN, name)).toBe(type);
  });

  it('follows from the number where the name hides it, and where there is none', () => {
    expect(asnTypeOf(20473, 'The Constant Company, LLC')).toBe('hosting');
    expect(asnTypeOf(14593, 'Space Exploration Technologies Corporation')).toBe('isp');
    expect(asnTypeOf(16509, null)).toBe('hosting');
    expect(asnTypeOf(UNKNOWN_ASN, null)).toBe(null);
  });

  it('is soon told for any name', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2 ** 32 - 1 }),
        fc.string({ unit: 'binary', maxLength: 200 }),
        (asn, name) => {
          asnTypeOf(asn, name);
        },
      ),
    );
    for (const piece of ['a', 'host', 'telecom', 'data ', 'fiber', '\u0301']) {
      const startedMs = performance.now();
      asnTypeOf(UNKNOWN_ASN, piece.repeat(1_000).slice(0, 128));
      expect(performance.now() - startedMs).toBeLessThan(200);
    }
  });

  it('knows networks by the names that routing data give them', async () => {
    const folder = join(import.meta.dirname, '../../../node_modules/@ip-location-db/asn');
    const ranges = [
      await readAsnRanges(join(folder, 'asn-ipv4-num.csv'), 4),
      await readAsnRanges(join(folder, 'asn-ipv6-num.csv'), 6),
    ];
    const names = new Map(ranges.flatMap(({ organizations }) => [...organizations]));
    const differing = [...KNOWN_NETWORKS.values()].filter(({ asn, name }) => names.get(asn) !== name);
    expect(differing).toEqual([]);
    expect(KNOWN_NETWORKS.size).toBeGreaterThan(100);
  });
});
