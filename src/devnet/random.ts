import { createHash } from 'node:crypto';

/** A number in [0, 1) with 53 random bits; the next one at each call. */
export type Random = () => number;

/**
 * A generator that is a pure function of its label: the same parts give the same numbers on every machine, and
 * different parts give streams that have nothing to do with each other. (xoshiro128**, seeded through SHA-256.)
 */
export function seededRandom(...label: readonly (string | number)[]): Random {
  const seed = createHash('sha256').update(label.join('|')).digest();
  let [a, b, c, d] = [seed.readUInt32LE(0), seed.readUInt32LE(4), seed.readUInt32LE(8), seed.readUInt32LE(12)];

  const next32 = (): number => {
    const result = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotateLeft(d, 11);
    return result;
  };
  return () => ((next32() >>> 5) * 2 ** 26 + (next32() >>> 6)) / 2 ** 53;
}

function rotateLeft(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

/** An integer from `low` to `high`, both included, each as likely. */
export function integerBetween(random: Random, low: number, high: number): number {
  return low + Math.floor(random() * (high - low + 1));
}

/** An integer from `low` to `high`, both included, with each factor of growth as likely as any other. */
export function logUniform(random: Random, low: number, high: number): number {
  return Math.min(high, Math.floor(low * ((high + 1) / low) ** random()));
}

/** The items in random order (Fisher-Yates), leaving the argument alone. */
export function shuffled<T>(random: Random, items: readonly T[]): T[] {
  const result = [...items];
  for (let last = result.length - 1; last > 0; last--) {
    const other = integerBetween(random, 0, last);
    [result[last], result[other]] = [result[other] as T, result[last] as T];
  }
  return result;
}

/**
 * Splits `total` by shares with the largest-remainder method, so that each count is within one of its exact part and
 * they sum to `total`.
 */
export function apportion(total: number, shares: readonly number[]): number[] {
  const sum = shares.reduce((left, right) => left + right, 0);
  const exact = shares.map((share) => (total * share) / sum);
  const counts = exact.map(Math.floor);
  const byRemainder = exact
    .map((value, index) => ({ index, remainder: value - Math.floor(value) }))
    .sort((left, right) => right.remainder - left.remainder || left.index - right.index);
  const missing = total - counts.reduce((left, right) => left + right, 0);
  for (const { index } of byRemainder.slice(0, missing)) counts[index] = (counts[index] ?? 0) + 1;
  return counts;
}
