import { firstValueFrom } from 'rxjs';
import { beforeEach, describe, expect, it } from 'vitest';
import { createLogger } from '../../../src/io/logging/logger.ts';
import { spoolGate } from '../../../src/programs/event-path/spool-gate.ts';
import { EventLogFullError, EventLogUsageError } from '../../../src/streams/ports/event-log.ts';
import { type VirtualTime, virtualTime } from '../../support/virtual-time.ts';

const MAX_BYTES = 1_000;
const MAX_AGE_MS = 100_000;

let time: VirtualTime;
let lines: string[];
let depth: { entries: number; bytes: number; oldestMs: number | null };
let refusal: Error | null;

beforeEach(() => {
  time = virtualTime();
  lines = [];
  depth = { entries: 0, bytes: 0, oldestMs: null };
  refusal = null;
});

function start(cause: string | null = null) {
  const logger = createLogger({ level: 'info', format: 'json', write: (line) => lines.push(line) });
  const spool = {
    depth: async () => depth,
    async append() {
      if (refusal !== null) throw refusal;
    },
  };
  const limits = { maxBytes: MAX_BYTES, maxAgeMs: MAX_AGE_MS };
  const { gate, watching } = spoolGate({
    spool,
    ...limits,
    cause: async () => cause,
    logger,
    scheduler: time.scheduler,
  });
  const states: boolean[] = [];
  watching.add(gate.isOpen$.subscribe((isOpen) => states.push(isOpen)));
  return { gate, watching, states };
}

const levels = () => lines.map((line) => (JSON.parse(line) as { level: number }).level);

async function fill(bytes: number, oldestMs: number | null = 0): Promise<void> {
  depth = { entries: 3, bytes, oldestMs };
  await time.advance(1_100);
}

describe('the gate before the spool', () => {
  it('is open and silent while there is room', async () => {
    const { gate, states } = start();
    await fill(799);
    expect(states).toEqual([true]);
    expect(await gate.check()).toBeNull();
    expect(lines).toEqual([]);
  });

  it('warns once from four fifths on, is not ready and says why, and lets visits go on', async () => {
    const { gate, states } = start('publishing to NATS failed');
    await fill(850);
    await fill(860);
    await fill(870);
    expect(levels()).toEqual([40]);
    expect(await gate.check()).toMatch(/87 % full: 3 events wait, 870 B of 1000 B.*publishing to NATS failed/);
    expect(states).toEqual([true]);
  });

  it('shuts at the limit of bytes, and opens by itself when there is room', async () => {
    const { gate, states } = start();
    await fill(985);
    expect(await firstValueFrom(gate.isOpen$)).toBe(false);
    expect(await gate.check()).toContain('no peers are visited until there is room');
    // Not for a few bytes: it would open and shut with every event.
    await fill(960);
    expect(states).toEqual([true, false]);
    await fill(900);
    expect(states).toEqual([true, false, true]);
    await fill(0, null);
    expect(await gate.check()).toBeNull();
    expect(levels()).toEqual([50, 40, 30]);
  });

  it('shuts when the oldest event has waited too long, however few they are', async () => {
    const { gate, states } = start();
    await fill(10);
    await time.advance(0.8 * MAX_AGE_MS + 2_000);
    expect(await gate.check()).toMatch(/1 % full.*the oldest for 01:2\d of 01:40/);
    expect(states).toEqual([true]);
    await time.advance(0.2 * MAX_AGE_MS);
    expect(states).toEqual([true, false]);
    await fill(10, time.scheduler.now());
    expect(states).toEqual([true, false, true]);
  });

  it('shuts at the first event that finds no room, tells of it once, and opens with the first that does', async () => {
    const { gate, states } = start();
    refusal = new EventLogFullError('the disk takes no more');
    await expect(gate.log.append([])).rejects.toBe(refusal);
    await expect(gate.log.append([])).rejects.toBe(refusal);
    expect(states).toEqual([true, false]);
    expect(await gate.check()).toMatch(/^the disk takes no more; no peers are visited/);
    refusal = null;
    await gate.log.append([]);
    expect(states).toEqual([true, false, true]);
    expect(await gate.check()).toBeNull();
    expect(levels()).toEqual([50, 30]);
  });

  it('stays shut while the refused is tried again, and opens when nobody is left who would try', async () => {
    const { gate, states } = start();
    refusal = new EventLogFullError('the disk takes no more');
    for (let attempt = 0; attempt < 10; attempt++) {
      await expect(gate.log.append([])).rejects.toBe(refusal);
      await time.advance(5_000);
    }
    expect(states).toEqual([true, false]);
    await time.advance(15_000);
    expect(states).toEqual([true, false, true]);
    expect(await gate.check()).toBeNull();
  });

  it('stays open for an event that no amount of room would let in', async () => {
    const { gate, states } = start();
    refusal = new EventLogUsageError('too large');
    await expect(gate.log.append([])).rejects.toBe(refusal);
    expect(states).toEqual([true]);
    expect(await gate.check()).toBeNull();
  });

  it('has no timer once it is left', async () => {
    const { watching } = start();
    await fill(10);
    watching.unsubscribe();
    expect(time.scheduler.actions).toEqual([]);
  });
});
