import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { type Cell, cellsFor } from '../../bench/accuracy/cells.ts';
import { seededRandom, watchNode } from '../../bench/accuracy/generator.ts';
import { judgeFor } from '../../bench/accuracy/judge.ts';
import { verdictsOn } from '../../bench/accuracy/sentences.ts';
import { coverageOfWholeCounts } from '../../bench/accuracy/whole-counts.ts';

const bench = (file: string) => readFile(new URL(`../../bench/accuracy/${file}`, import.meta.url), 'utf8');

describe('the generator', () => {
  it.each(['generator.ts', 'whole-counts.ts'])(
    'shares no code with what it judges: %s imports nothing',
    async (file) => {
      expect(await bench(file)).not.toMatch(/^\s*(import|export)\b[^;]*\bfrom\b|\bimport\s*\(|\brequire\s*\(/m);
    },
  );

  it('lights as many subnets as the reference has from its own simulation', () => {
    // Reference, section 6, one look at 1,000 validators of a million: Lighthouse 2.07, Prysm 14.5, Teku 33.5.
    const mean = (client: 'Lighthouse' | 'Prysm' | 'Teku') => {
      const options = { client, validators: 1_000, activeValidators: 1_000_000, epochs: 600, random: seededRandom(5) };
      const { looks, longLived } = watchNode(options);
      return looks.reduce((sum, { subscribed }) => sum + subscribed.size - longLived.size, 0) / looks.length;
    };
    expect(mean('Lighthouse')).toBeCloseTo(2.0, 0);
    expect(Math.abs(mean('Prysm') / 14.6 - 1)).toBeLessThan(0.06);
    expect(Math.abs(mean('Teku') / 33.5 - 1)).toBeLessThan(0.04);
  });

  it('has each slot of a small network light one subnet of its own', () => {
    const options = { validators: 1_500, activeValidators: 2_000, epochs: 20, random: seededRandom(7) };
    const { looks, longLived } = watchNode({ client: 'Lighthouse', ...options });
    for (const { slot, subscribed } of looks) {
      const shortLived = [...subscribed].filter((subnet) => !longLived.has(subnet));
      expect([slot % 32, (slot + 1) % 32]).toEqual(expect.arrayContaining(shortLived));
    }
  });
});

describe('whole counts', () => {
  it.each([
    // By hand: of 0.68 expected, 0 to 2 are held: e^-0.68 (1 + 0.68 + 0.2312).
    [0, 1],
    [0.68, 0.9682],
    [1.36, 0.951],
  ])('of %d expected are held as often as the sum of the Poisson terms says', (expected, coverage) => {
    expect(coverageOfWholeCounts(expected)).toBeCloseTo(coverage, 3);
  });

  it('of many are held in nine of ten cases', () => {
    for (const expected of [100, 130.5, 333])
      expect(Math.abs(coverageOfWholeCounts(expected) - 0.9)).toBeLessThan(0.01);
  });
});

describe('the sentences', () => {
  const options = { activeValidators: 1_000_000, client: 'Teku', nodes: 40, epochs: 60 } as const;
  const judge = judgeFor(options.activeValidators);
  const names = (cells: readonly Cell[]) =>
    verdictsOn(cells)
      .filter(({ isMet, excuse }) => !isMet && excuse === null)
      .map(({ cell, sentence }) => `${cell.method}: ${sentence}`);

  it('hold of nodes that are what they say', () => {
    expect(names(cellsFor({ ...options, validators: 100, judge }))).toEqual([]);
  });

  it('fail by name of an estimator that is told the wrong client', () => {
    const misled = cellsFor({ ...options, validators: 100, judge: (node) => judge({ ...node, client: 'Lighthouse' }) });
    expect(names(misled)).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^subnets: median error/),
        expect.stringMatching(/^subnets: bias/),
        expect.stringMatching(/^subnets: interval holds the truth in 0\.0 %/),
      ]),
    );
  });

  it('are excused of no validators, for a reason', () => {
    const none = verdictsOn(cellsFor({ ...options, nodes: 1_000, epochs: 2, validators: 0, judge }));
    expect(none.filter(({ isMet }) => !isMet).map(({ excuse }) => excuse)).toEqual([
      'nothing is ever seen of no validators: every interval holds 0',
    ]);
  });
});
