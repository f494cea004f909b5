import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createCrowd, ipOfMultiaddr, ipPrefix, isPublicUnicast } from '../../src/consensus/address-policy.ts';

/** RFC 6890 and the IANA special-purpose registries. */
const NOT_PUBLIC = [
  '0.0.0.0',
  '10.1.2.3',
  '100.64.0.1',
  '127.0.0.1',
  '127.20.3.4',
  '169.254.169.254',
  '172.16.0.1',
  '172.31.255.255',
  '192.0.2.1',
  '192.168.1.1',
  '198.51.100.1',
  '203.0.113.1',
  '224.0.0.1',
  '239.255.255.255',
  '240.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  'fe80::1',
  'fc00::1',
  'fd12:3456::1',
  'ff02::1',
  '2001:db8::1',
  '::ffff:10.0.0.1',
  '::ffff:127.0.0.1',
  '2002:a00:1::1',
];
const PUBLIC = [
  '8.8.8.8',
  '1.1.1.1',
  '34.77.238.61',
  '172.32.0.1',
  '2606:4700:4700::1111',
  '2a01:4f8::1',
  '::ffff:8.8.8.8',
];

describe('which addresses may be dialled on a public network', () => {
  test.each(NOT_PUBLIC)('not %s', (ip) => expect(isPublicUnicast(ip)).toBe(false));
  test.each(PUBLIC)('%s', (ip) => expect(isPublicUnicast(ip)).toBe(true));
  test.each(['', 'localhost', '8.8.8', '134744072', '0x8.8.8.8', '8.8.8.8/32', '010.0.0.1'])(
    'not the text "%s"',
    (text) => expect(isPublicUnicast(text)).toBe(false),
  );
  test('never throws', () => {
    fc.assert(fc.property(fc.string(), (text) => typeof isPublicUnicast(text) === 'boolean'));
  });
});

describe('where an address belongs', () => {
  test.each([
    ['8.8.4.4', '8.8.4/24'],
    ['::ffff:8.8.4.4', '8.8.4/24'],
  ])('%s is in %s', (ip, prefix) => expect(ipPrefix(ip)).toBe(prefix));

  test('two addresses of one /64 belong together, of two not', () => {
    expect(ipPrefix('2001:db8:1:2::1')).toBe(ipPrefix('2001:db8:1:2:ffff::9'));
    expect(ipPrefix('2001:db8:1:2::1')).not.toBe(ipPrefix('2001:db8:1:3::1'));
  });

  test.each([
    ['/ip4/1.2.3.4/tcp/9000', '1.2.3.4'],
    ['/ip6/2001:db8::1/udp/9001/quic-v1', '2001:db8::1'],
    ['/dns4/example.org/tcp/1', null],
    ['', null],
  ])('the IP of %s is %s', (multiaddr, ip) => expect(ipOfMultiaddr(multiaddr)).toBe(ip));
});

describe('a crowd', () => {
  test('has room for so many an address and a neighbourhood, and again when somebody leaves', () => {
    const crowd = createCrowd({ perIp: 2, perPrefix: 3 });
    crowd.enter('8.8.8.1');
    crowd.enter('8.8.8.1');
    expect(crowd.hasRoom('8.8.8.1')).toBe(false);
    expect(crowd.hasRoom('8.8.8.2')).toBe(true);
    crowd.enter('8.8.8.2');
    expect(crowd.hasRoom('8.8.8.3')).toBe(false);
    expect(crowd.hasRoom('8.8.9.1')).toBe(true);
    crowd.leave('8.8.8.1');
    expect(crowd.hasRoom('8.8.8.3')).toBe(true);
  });
});
