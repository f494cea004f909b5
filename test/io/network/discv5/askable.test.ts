import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeEnrText } from '../../../../src/consensus/enr.ts';
import { askable } from '../../../../src/io/network/discv5/askable.ts';
import { enrWith, type RlpItem } from '../../../support/consensus/raw-enr.ts';

const IP = Uint8Array.of(203, 0, 113, 7);
const IP6 = Uint8Array.of(0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7);
const PORT = Uint8Array.of(0x23, 0x28);
const PORT6 = Uint8Array.of(0x23, 0x29);

const AT4 = '/ip4/203.0.113.7/udp/9000';
const AT6 = '/ip6/2001:db8::7/udp/9001';

function placesOf(entries: Readonly<Record<string, RlpItem>>): (string | undefined)[] {
  const enr = askable(decodeEnrText(enrWith(entries)));
  return (['udp4', 'udp6'] as const).map((family) => enr.getLocationMultiaddr(family)?.toString());
}

describe('where a node is asked', () => {
  // EIP-778, "Key/Value Pairs": udp6 is given only where it differs from udp; integers are big-endian without leading zeros.
  it.each<[string, Record<string, RlpItem>, (string | undefined)[]]>([
    ['at both of its addresses', { ip: IP, udp: PORT, ip6: IP6, udp6: PORT6 }, [AT4, AT6]],
    ['over IPv6 at udp, when it tells no udp6', { ip6: IP6, udp: PORT }, [undefined, '/ip6/2001:db8::7/udp/9000']],
    ['over both at udp', { ip: IP, ip6: IP6, udp: PORT }, [AT4, '/ip6/2001:db8::7/udp/9000']],
    ['at a port below 256', { ip: IP, udp: Uint8Array.of(0x50) }, ['/ip4/203.0.113.7/udp/80', undefined]],
    [
      'at IPv6 although its IPv4 is none',
      { ip: Uint8Array.of(1, 2, 3), udp: PORT, ip6: IP6, udp6: PORT6 },
      [undefined, AT6],
    ],
    ['at IPv4 although its IPv6 is none', { ip: IP, udp: PORT, ip6: IP, udp6: PORT6 }, [AT4, undefined]],
    ['at IPv6 although its IPv4 is a list', { ip: [IP], udp: PORT, ip6: IP6, udp6: PORT6 }, [undefined, AT6]],
    [
      'at IPv4 although its udp6 is none',
      { ip: IP, udp: PORT, ip6: IP6, udp6: new Uint8Array(3).fill(1) },
      [AT4, '/ip6/2001:db8::7/udp/9000'],
    ],
    ['nowhere at port 0', { ip: IP, udp: new Uint8Array(0) }, [undefined, undefined]],
    ['nowhere at a port of three bytes', { ip: IP, udp: new Uint8Array(3).fill(1) }, [undefined, undefined]],
  ])('%s', (_, entries, places) => {
    expect(placesOf(entries)).toEqual(places);
  });

  it('is known or not, whatever the entries, and the record stays as it was signed', () => {
    const value: fc.Arbitrary<RlpItem> = fc.oneof(
      fc.uint8Array({ maxLength: 20 }),
      fc.array(fc.uint8Array({ maxLength: 3 }), { maxLength: 3 }),
    );
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom('ip', 'ip6', 'udp', 'udp6'), value), (entries) => {
        const enr = enrWith(entries);
        fc.pre(enr.length <= 404);
        expect(() => placesOf(entries)).not.toThrow();
        expect(askable(decodeEnrText(enr)).encodeTxt()).toBe(enr);
      }),
    );
  });
});
