import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { networkClock } from '../../src/consensus/clock.ts';
import { createClockCheck } from '../../src/consensus/clock-check.ts';
import { builtInNetwork } from '../../src/consensus/networks.ts';

const mainnet = builtInNetwork('mainnet');
const clock = networkClock(mainnet);
const SLOT = 14_000_000;
const NOW_MS = clock.slotStartMs(SLOT) + 3_000;
const EPOCH_MS = 384_000;

/** A check that has heard a head from each of these distances from the current slot. */
function heardFrom(offsets: readonly number[], network = mainnet) {
  const ours = networkClock(network);
  const check = createClockCheck(ours, network);
  for (const [index, offset] of offsets.entries()) check.heard(`peer ${index}`, ours.slotAt(NOW_MS) + offset, NOW_MS);
  return check;
}
const times = (count: number, offset: number) => Array.from({ length: count }, () => offset);

describe('the clock of this machine', () => {
  it.each<[string, number[], string | null]>([
    ['is right when heads are of now', times(20, 0), null],
    ['is right when heads are a little late or early', [...times(10, -3), ...times(10, 1)], null],
    ['is slow when most heads are of the future', times(20, 32), '20 of 20 peers are some 32 slots ahead'],
    [
      'is slow although some peers still sync',
      [...times(8, 32), ...times(2, -5_000)],
      '8 of 10 peers are some 32 slots ahead',
    ],
    ['is fast when most heads are of long ago', times(9, -900), '9 of 9 peers are some 900 slots behind'],
    ['is not judged by few peers', times(7, 32), null],
    ['is not judged by those who invent heads', [...times(10, 100_000), ...times(10, 0)], null],
    ['is not judged by those who sync', [...times(12, -100_000), ...times(12, 0)], null],
    ['is right when peers disagree in both directions', [...times(10, 32), ...times(10, -900)], null],
  ])('%s', (_, offsets, told) => {
    const reason = heardFrom(offsets).reason(NOW_MS);
    if (told === null) expect(reason).toBeNull();
    else expect(reason).toContain(told);
  });

  it('is judged by the last two epochs', () => {
    const check = heardFrom(times(20, 32));
    expect(check.reason(NOW_MS + 2 * EPOCH_MS)).not.toBeNull();
    expect(check.reason(NOW_MS + 2 * EPOCH_MS + 1)).toBeNull();
  });

  it('has time to be a little off on a network with short slots', () => {
    const devnet = { ...mainnet, slotMs: 50 };
    expect(heardFrom(times(20, 15), devnet).reason(NOW_MS)).toBeNull();
    expect(heardFrom(times(20, -90), devnet).reason(NOW_MS)).toBeNull();
    expect(heardFrom(times(20, 20), devnet).reason(NOW_MS)).toContain('20 slots ahead');
  });

  it('is never judged by a third of the peers, whatever they say', () => {
    fc.assert(
      fc.property(fc.array(fc.integer(), { maxLength: 10 }), (lies) => {
        expect(heardFrom([...times(20, 0), ...lies]).reason(NOW_MS)).toBeNull();
      }),
    );
  });
});
