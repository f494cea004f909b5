import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readAsnRanges } from '../../../src/io/geo/asn-ranges.ts';
import { tempDir } from '../../support/temp-dir.ts';

let folder: Awaited<ReturnType<typeof tempDir>>;
let path: string;
beforeEach(async () => {
  folder = await tempDir();
  path = join(folder.path, 'asn.csv');
});
afterEach(() => folder.remove());

/** Text of an address from its number, by the address library and not by what is tested. */
function ipOf(number: bigint, version: 4 | 6): string {
  const bytes = Array.from({ length: version === 4 ? 4 : 16 }, (_, index, length = version === 4 ? 4 : 16) =>
    Number((number >> BigInt(8 * (length - 1 - index))) & 255n),
  );
  return ipaddr.fromByteArray(bytes).toString();
}

describe('ranges of autonomous systems', () => {
  it('tell number and organisation, both ends included', async () => {
    await writeFile(
      path,
      '16777216,16777471,13335,"Cloudflare, Inc."\r\n16778240,16779263,38803,Gtelecom "x" Pty\n4294967295,4294967295,7,\n',
    );
    const ranges = await readAsnRanges(path, 4);
    expect(ranges.find('1.0.0.0')).toEqual({ asn: 13335, organization: 'Cloudflare, Inc.' });
    expect(ranges.find('1.0.0.255')).toEqual({ asn: 13335, organization: 'Cloudflare, Inc.' });
    expect(ranges.find('1.0.1.0')).toBe(null);
    expect(ranges.find('0.255.255.255')).toBe(null);
    expect(ranges.find('1.0.4.1')?.organization).toBe('Gtelecom "x" Pty');
    expect(ranges.find('255.255.255.255')).toEqual({ asn: 7, organization: null });
    expect(ranges.find('::ffff:1.0.0.0')).toBe(null);
    expect(ranges.find('no address')).toBe(null);
  });

  it('doubled quotes are one, and the later of two that overlap counts', async () => {
    await writeFile(path, '10,30,1,"JSC ""TIMEWEB"""\n20,40,2,b\n');
    const ranges = await readAsnRanges(path, 4);
    expect(['0.0.0.19', '0.0.0.20', '0.0.0.40', '0.0.0.41'].map((ip) => ranges.find(ip)?.asn)).toEqual([
      1,
      2,
      2,
      undefined,
    ]);
    expect(ranges.find('0.0.0.10')?.organization).toBe('JSC "TIMEWEB"');
  });

  it.each([
    ['out of order', '20,30,1,a\n10,15,2,b\n', 2],
    ['backwards', '20,10,1,a\n', 1],
    ['addresses in dots', '1.0.0.0,1.0.0.255,13335,a\n', 1],
    ['an empty line', '10,20,1,a\n\n', 2],
    ['an endless line', `10,20,1,${'a'.repeat(10_000)}\n`, 1],
  ])('are refused when they are %s', async (_, text, line) => {
    await writeFile(path, text);
    await expect(readAsnRanges(path, 4)).rejects.toThrow(`line ${line} `);
  });

  it.each([4, 6] as const)('are found as looking at each of them would, in IPv%i', async (version) => {
    const bits = version === 4 ? 32n : 128n;
    const numbers = fc.uniqueArray(fc.bigInt({ min: 0n, max: (1n << bits) - 1n }), { minLength: 2, maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(
        numbers,
        fc.array(fc.bigInt({ min: 0n, max: (1n << bits) - 1n }), { maxLength: 20 }),
        async (ends, others) => {
          const sorted = ends.toSorted((left, right) => (left < right ? -1 : 1));
          const ranges = sorted.flatMap((first, index) =>
            index % 2 === 0 ? [{ first, last: sorted[index + 1] ?? first, asn: index + 1 }] : [],
          );
          await writeFile(path, ranges.map(({ first, last, asn }) => `${first},${last},${asn},org ${asn}`).join('\n'));
          const read = await readAsnRanges(path, version);
          for (const number of [...ends, ...others, ...ends.map((end) => (end + 1n) % (1n << bits))]) {
            const expected = ranges.find(({ first, last }) => first <= number && number <= last);
            expect(read.find(ipOf(number, version))?.asn).toBe(expected?.asn);
          }
        },
      ),
      { numRuns: 50 },
    );
  });
});
