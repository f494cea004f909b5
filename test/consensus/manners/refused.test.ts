import { describe, expect, it } from 'vitest';
import type { Client } from '../../../src/consensus/client.ts';
import { type Cause, failure, type Stage } from '../../../src/consensus/failure.ts';
import { type Refuser, refusedBy } from '../../../src/consensus/manners/refused.ts';

const MET: Refuser = { client: 'Lighthouse', observations: 5, failures: 0 };
const causeOf = (stage: Stage, cause: Cause, refuser: Partial<Refuser> = {}) =>
  refusedBy(failure(stage, cause, 'words'), { ...MET, ...refuser }).cause;

/** As a peer ends a connection of whose noise it has learnt who we are. */
const ENDS: [Stage, Cause][] = [
  ['security', 'eof'],
  ['security', 'reset'],
  ['mux', 'mux_failed'],
  ['identify', 'eof'],
  ['status', 'eof'],
  ['status', 'reset'],
];

describe('a peer that was observed before', () => {
  it.each(ENDS)('and ends its connection (%s %s) is full, and has banned us when it keeps doing so', (stage, cause) => {
    expect([0, 1, 2, 9].map((failures) => causeOf(stage, cause, { failures }))).toEqual([
      'too_many_peers',
      'too_many_peers',
      'banned',
      'banned',
    ]);
  });

  it.each<[Stage, Cause]>([
    ['dial', 'reset'],
    ['security', 'noise_failed'],
  ])('and does not let us in (%s %s) has banned our address when it keeps doing so', (stage, cause) => {
    expect([0, 1, 2].map((failures) => causeOf(stage, cause, { failures }))).toEqual([cause, cause, 'banned']);
  });

  it.each<[Stage, Cause]>([
    ['dial', 'refused'],
    ['dial', 'timeout'],
    ['security', 'peer_id_mismatch'],
    ['status', 'timeout'],
    ['status', 'too_many_peers'],
    ['status', 'wrong_fork'],
    ['metadata', 'eof'],
    ['subscriptions', 'eof'],
    ['record', 'reset'],
  ])('and fails for another reason (%s %s) means that', (stage, cause) => {
    expect(causeOf(stage, cause, { failures: 9 })).toBe(cause);
  });
});

it.each(ENDS)('who was never observed means nothing by it: %s %s', (stage, cause) => {
  expect(causeOf(stage, cause, { observations: 0, failures: 9 })).toBe(cause);
});

it('a Prysm that says Goodbye 3 has banned us; others do when they stop', () => {
  const clients: Client[] = ['Prysm', 'Lighthouse', 'Teku', 'unknown'];
  expect(clients.map((client) => causeOf('status', 'fault', { client, observations: 0 }))).toEqual([
    'banned',
    'fault',
    'fault',
    'fault',
  ]);
});

it('stage and words stay as they were', () => {
  expect(refusedBy(failure('identify', 'eof', 'words'), MET)).toEqual(failure('identify', 'too_many_peers', 'words'));
});
