import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readCorpus } from './fuzz/corpus.ts';
import { FUZZ_TARGETS } from './fuzz/targets.ts';

/** A few seconds of what `bench/fuzz.ts` does for longer. fast-check prints the seed of what it finds. */

const RUNS = 200;
/** Each reader has read something of both kinds, or the corpus says nothing. */
const MIN_KEPT = 2;

describe.each(FUZZ_TARGETS)('$name', ({ name, input, check }) => {
  it('reads what was kept as it did before', async () => {
    const corpus = await readCorpus(name);
    expect(corpus.size).toBeGreaterThanOrEqual(MIN_KEPT);
    for (const [outcome, kept] of corpus) expect(await check(kept), Buffer.from(kept).toString('hex')).toBe(outcome);
  });

  it('takes whatever comes', async () => {
    await fc.assert(
      fc.asyncProperty(input, async (bytes) => {
        expect(await check(bytes)).not.toBe('');
      }),
      { numRuns: RUNS },
    );
  });
});
