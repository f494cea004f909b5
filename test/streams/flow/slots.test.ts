import { describe, expect, it } from 'vitest';
import { createSlots } from '../../../src/streams/flow/slots.ts';

describe('createSlots', () => {
  it('gives as many places as there are, and one more for each that is released', () => {
    const slots = createSlots(2);
    expect([slots.tryTake(), slots.tryTake(), slots.tryTake()]).toEqual([true, true, false]);
    expect(slots.taken).toBe(2);
    slots.release();
    expect(slots.taken).toBe(1);
    expect([slots.tryTake(), slots.tryTake()]).toEqual([true, false]);
  });

  it('tells when a place is free, and has it free by then', () => {
    const slots = createSlots(1);
    const taken: number[] = [];
    slots.freed$.subscribe(() => taken.push(slots.taken));
    slots.tryTake();
    slots.release();
    expect(taken).toEqual([0]);
  });

  it('does not let a place be released twice', () => {
    const slots = createSlots(1);
    slots.tryTake();
    slots.release();
    expect(() => slots.release()).toThrow('nobody had taken');
    expect(slots.taken).toBe(0);
  });
});
