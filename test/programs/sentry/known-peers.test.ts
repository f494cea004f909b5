import { beforeEach, describe, expect, it } from 'vitest';
import { newPeer } from '../../../src/actors/peer.ts';
import { saveChanges, startSaving } from '../../../src/programs/sentry/known-peers.ts';
import { type VirtualTime, virtualTime } from '../../support/virtual-time.ts';

const CHANGES = { changed: [newPeer('a', 1), newPeer('b', 2)], forgotten: ['c'] };

let saved: unknown[];
let refusal: Error | null;
let returned: unknown[];

const store = {
  save: async (...changes: unknown[]) => {
    if (refusal !== null) throw refusal;
    saved.push(changes);
  },
};
const registry = {
  takeChanges: () => {
    return CHANGES as never;
  },
  returnChanges: (changes: unknown) => void returned.push(changes),
};

beforeEach(() => {
  [saved, returned, refusal] = [[], [], null];
});

describe('what the registry has changed', () => {
  it('is saved', async () => {
    await saveChanges(store, registry);
    expect(saved).toEqual([[CHANGES.changed, CHANGES.forgotten]]);
    expect(returned).toEqual([]);
  });

  it('is there to be saved again when it could not be', async () => {
    refusal = new Error('the disk is full');
    await expect(saveChanges(store, registry)).rejects.toThrow('the disk is full');
    expect(returned).toEqual([CHANGES]);
  });
});

describe('saving known peers', () => {
  let time: VirtualTime;
  beforeEach(() => {
    time = virtualTime();
  });

  it('happens every two seconds while a registry runs', async () => {
    let isRunning = true;
    const part = startSaving({
      store,
      registry: () => (isRunning ? registry : null),
      onFailure: () => {},
      scheduler: time.scheduler,
    });
    await time.advance(1_999);
    expect(saved).toHaveLength(0);
    await time.advance(1);
    expect(saved).toHaveLength(1);
    isRunning = false;
    await time.advance(2_000);
    expect(saved).toHaveLength(1);
    isRunning = true;
    await time.advance(2_000);
    expect(saved).toHaveLength(2);
    await part.stop();
    await time.advance(10_000);
    expect(saved).toHaveLength(2);
  });

  it('goes on after a failure, which is told', async () => {
    const told: unknown[] = [];
    refusal = new Error('the disk is full');
    const part = startSaving({
      store,
      registry: () => registry,
      onFailure: (error) => told.push(error),
      scheduler: time.scheduler,
    });
    await time.advance(2_000);
    expect(told).toEqual([refusal]);
    refusal = null;
    await time.advance(4_000);
    expect(saved).toHaveLength(1);
    await part.stop();
  });
});
