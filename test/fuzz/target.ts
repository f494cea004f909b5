import fc from 'fast-check';

/** One reader of strangers' bytes under fuzzing. */
export interface FuzzTarget {
  readonly name: string;
  readonly input: fc.Arbitrary<Uint8Array>;
  /**
   * Reads the input and checks what must hold of the result whatever the input is.
   * @returns in a few words how it was read; inputs that are read in a new way are worth keeping.
   * @throws when the reader throws, or what it gives breaks a promise.
   */
  readonly check: (input: Uint8Array) => string | Promise<string>;
}

const MAX_INPUT_BYTES = 2_048;

/** Any bytes, and seeds with a few bytes changed, put in, taken out, repeated or cut off. */
export function bytesLike(seeds: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const random = fc.uint8Array({ maxLength: 200 });
  if (seeds.length === 0) return random;
  const seed = fc.constantFrom(...seeds);
  const mutated = fc
    .tuple(seed, fc.array(edit, { maxLength: 4 }))
    .map(([bytes, edits]) => edits.reduce(apply, bytes).subarray(0, MAX_INPUT_BYTES));
  const spliced = fc
    .tuple(seed, seed, fc.nat(), fc.nat())
    .map(([a, b, atA, atB]) => join(a.subarray(0, atA % (a.length + 1)), b.subarray(atB % (b.length + 1))));
  return fc.oneof({ weight: 6, arbitrary: mutated }, { weight: 1, arbitrary: spliced }, random);
}

interface Edit {
  readonly kind: 'set' | 'insert' | 'remove' | 'repeat' | 'cut';
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** Bytes at which numbers overflow and texts change their meaning. */
const ODD_BYTES = [0x00, 0x01, 0x7f, 0x80, 0xb8, 0xbf, 0xc0, 0xf8, 0xfe, 0xff] as const;

const edit: fc.Arbitrary<Edit> = fc.record({
  kind: fc.constantFrom('set', 'insert', 'remove', 'repeat', 'cut'),
  at: fc.nat(),
  bytes: fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 4 }),
    fc.array(fc.constantFrom(...ODD_BYTES), { minLength: 1, maxLength: 10 }).map((odd) => Uint8Array.from(odd)),
  ),
});

function apply(input: Uint8Array, { kind, at, bytes }: Edit): Uint8Array {
  const place = at % (input.length + 1);
  const before = input.subarray(0, place);
  switch (kind) {
    case 'set':
      return join(before, bytes, input.subarray(place + bytes.length));
    case 'insert':
      return join(before, bytes, input.subarray(place));
    case 'remove':
      return join(before, input.subarray(place + bytes.length));
    case 'repeat':
      return join(input, input.subarray(place));
    case 'cut':
      return before;
  }
}

export function join(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

/** Outcomes that differ in a number or a quoted text only are one. */
export function inWords(outcome: string): string {
  return outcome
    .replace(/[^\x20-\x7e]/g, '?')
    .replace(/0x[0-9a-f]+|\d+/gi, '#')
    .slice(0, 60);
}

/** @throws Error when a promise is broken. */
export function promise(kept: boolean, what: string): void {
  if (!kept) throw new Error(`broken promise: ${what}`);
}
