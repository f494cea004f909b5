import { createReadStream } from 'node:fs';
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import type { AutonomousSystem } from '../../streams/ports/geo-locator.ts';
import { linesOf } from '../recording/lines.ts';

/** Which autonomous system announces an address. */
export interface AsnRanges {
  /** By AS number; empty where the data have no name. */
  readonly organizations: ReadonlyMap<number, string>;
  find(ip: string): Omit<AutonomousSystem, 'type'> | null;
}

/** The longest line so far has 200 characters. */
const MAX_LINE_LENGTH = 1_024;

/**
 * Reads a file of `@ip-location-db/asn` in its numeric form: first address, last address, number, organisation, ascending by
 * the first address; of two ranges that overlap, as a few do, the later one counts.
 * In memory a range takes 12 bytes (IPv4) or 36 (IPv6), and each organisation one string. The file is read in pieces, so
 * that nothing else waits longer than for one of them.
 * @throws Error when the file is not like that.
 */
export async function readAsnRanges(path: string, version: 4 | 6): Promise<AsnRanges> {
  const firsts: (number | bigint)[] = [];
  const lasts: (number | bigint)[] = [];
  const asns: number[] = [];
  const organizations = new Map<number, string>();
  const addressOf = version === 4 ? Number : BigInt;
  let previous: number | bigint = -1;
  for await (const { line, text } of linesOf(createReadStream(path), MAX_LINE_LENGTH)) {
    const match = /^(\d{1,39}),(\d{1,39}),(\d{1,10}),(.*)$/.exec(text ?? '');
    const first = match === null ? -1 : addressOf(match[1] as string);
    const last = match === null ? -1 : addressOf(match[2] as string);
    if (match === null || first <= previous || last < first) {
      throw new Error(`${path} line ${line} is not a range of addresses that begins after those before it`);
    }
    const asn = Number(match[3]);
    firsts.push(first);
    lasts.push(last);
    asns.push(asn);
    if (!organizations.has(asn)) organizations.set(asn, unquoted(match[4] as string));
    previous = first;
  }
  const rangeOf = version === 4 ? packed4(firsts, lasts) : packed6(firsts, lasts);
  const numbers = Uint32Array.from(asns);
  return {
    organizations,
    find(ip) {
      const address = isIP(ip) === version ? toNumber(ip) : null;
      if (address === null) return null;
      const index = lastAtOrBefore(rangeOf, numbers.length, address);
      if (index < 0 || rangeOf(index).last < address) return null;
      const asn = numbers[index] as number;
      return { asn, organization: organizations.get(asn) || null };
    },
  };
}

interface Range {
  readonly first: number | bigint;
  readonly last: number | bigint;
}
type RangeOf = (index: number) => Range;

/** The index of the last range that begins at or before the address; -1 when all begin after it. */
function lastAtOrBefore(rangeOf: RangeOf, size: number, address: number | bigint): number {
  let low = 0;
  let high = size;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (rangeOf(middle).first <= address) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function packed4(firsts: readonly (number | bigint)[], lasts: readonly (number | bigint)[]): RangeOf {
  const from = Uint32Array.from(firsts, Number);
  const to = Uint32Array.from(lasts, Number);
  return (index) => ({ first: from[index] as number, last: to[index] as number });
}

function packed6(firsts: readonly (number | bigint)[], lasts: readonly (number | bigint)[]): RangeOf {
  const halves = (numbers: readonly (number | bigint)[], shift: bigint) =>
    BigUint64Array.from(numbers, (number) => (BigInt(number) >> shift) & 0xffff_ffff_ffff_ffffn);
  const [fromHigh, fromLow, toHigh, toLow] = [
    halves(firsts, 64n),
    halves(firsts, 0n),
    halves(lasts, 64n),
    halves(lasts, 0n),
  ];
  const join = (high: bigint | undefined, low: bigint | undefined) => ((high as bigint) << 64n) | (low as bigint);
  return (index) => ({ first: join(fromHigh[index], fromLow[index]), last: join(toHigh[index], toLow[index]) });
}

function toNumber(ip: string): number | bigint {
  const bytes = ipaddr.parse(ip).toByteArray();
  return bytes.length === 4
    ? bytes.reduce((number, byte) => number * 256 + byte, 0)
    : bytes.reduce((number, byte) => (number << 8n) | BigInt(byte), 0n);
}

/** A CSV field as a string of its own: a piece of a line would keep the whole chunk of the file in memory. */
function unquoted(field: string): string {
  const text = /^"(.*)"$/.exec(field)?.[1]?.replaceAll('""', '"') ?? field;
  return Buffer.from(text).toString();
}
