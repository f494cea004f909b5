import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createReadMarks } from '../../../src/streams/publishing/read-marks.ts';

describe('read marks', () => {
  it('say up to which position everything before a sequence reaches, once', () => {
    const marks = createReadMarks();
    marks.add(10, 100);
    marks.add(20, 130);
    marks.add(30, 131);
    expect(marks.readBefore(100)).toBe(0);
    expect(marks.readBefore(101)).toBe(10);
    expect(marks.readBefore(101)).toBe(0);
    expect(marks.waiting).toBe(2);
    expect(marks.readBefore(1_000)).toBe(30);
    expect(marks.waiting).toBe(0);
  });

  it('take a batch that the stream had before for as new as the one before it', () => {
    const marks = createReadMarks();
    marks.add(10, 100);
    marks.add(20, 5);
    expect(marks.readBefore(6)).toBe(0);
    expect(marks.readBefore(101)).toBe(20);
  });

  it('never say too much, and in the end everything, however few are kept', () => {
    const gap = fc.integer({ min: 1, max: 5 });
    fc.assert(
      fc.property(fc.array(fc.tuple(gap, gap, fc.boolean()), { minLength: 1, maxLength: 200 }), (steps) => {
        const marks = createReadMarks(8);
        const added: [position: number, sequence: number][] = [];
        let [position, sequence, said] = [0, 0, 0];
        for (const [positions, sequences, looks] of steps) {
          position += positions;
          sequence += sequences;
          marks.add(position, sequence);
          added.push([position, sequence]);
          expect(marks.waiting).toBeLessThanOrEqual(8);
          if (!looks) continue;
          const first = Math.ceil(sequence / 2);
          said = Math.max(said, marks.readBefore(first));
          // Whatever is said to be read has no sequence that is not.
          expect(added.every(([at, given]) => at > said || given < first)).toBe(true);
        }
        said = Math.max(said, marks.readBefore(sequence + 1));
        expect(said).toBe(position);
      }),
    );
  });
});
