import { type ClientWindow, visibleSlots } from './client-windows.ts';
import type { DutyRules } from './committees.ts';

/**
 * How likely the sightings of a look exclude each other: a validator has one duty an epoch, so that having lit one subnet it lights no
 * other of that epoch, and sightings vary less than those of independent subnets. With the chance π that a validator shows in an epoch's
 * part of the window this is Σ π² / Σ π, over the slots of an epoch in which a look may fall.
 */
export function crowding(window: ClientWindow, rules: DutyRules): number {
  const known = computed.get(rules) ?? new Map<ClientWindow, number>();
  computed.set(rules, known);
  const value = known.get(window) ?? compute(window, rules);
  known.set(window, value);
  return value;
}

const computed = new WeakMap<DutyRules, Map<ClientWindow, number>>();

function compute(window: ClientWindow, { slotsPerEpoch, aggregatorProbability }: DutyRules): number {
  let [sum, squares] = [0, 0];
  for (let slot = 0; slot < slotsPerEpoch; slot++) {
    const { first, last } = visibleSlots(window, slot, slot, slotsPerEpoch);
    for (let epoch = 0; epoch * slotsPerEpoch <= last; epoch++) {
      const from = Math.max(first, epoch * slotsPerEpoch);
      const to = Math.min(last, (epoch + 1) * slotsPerEpoch - 1);
      const shows = (aggregatorProbability * (to - from + 1)) / slotsPerEpoch;
      sum += shows;
      squares += shows ** 2;
    }
  }
  return squares / sum;
}
