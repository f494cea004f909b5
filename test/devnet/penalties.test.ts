import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { grudgesIn, openPenaltyBook, type Penalty, readPenalties } from '../../src/devnet/penalties.ts';
import { tempDir } from '../support/temp-dir.ts';

let dir: Awaited<ReturnType<typeof tempDir>>;
beforeAll(async () => {
  dir = await tempDir();
});
afterAll(() => dir.remove());

const penalty = (changes: Partial<Penalty>): Penalty => ({
  at_ms: 1,
  node: 'a',
  client: 'Lighthouse',
  peer_id: 'crawler',
  event: 'status reset',
  points: -1,
  score: -1,
  banned: false,
  ...changes,
});

describe('the book of penalties', () => {
  it('tells the same in memory and in its file, line by line, with the last only when it is whole', async () => {
    const path = join(dir.path, 'penalties.ndjson');
    const book = openPenaltyBook(path);
    const noted = [
      penalty({}),
      penalty({ event: 'status fin-in-negotiation', points: -100, score: -100, banned: true }),
    ];
    for (const one of noted) book.note(one);
    await book.close();
    await appendFile(path, '{"at_ms":3,"no');
    expect(book.penalties).toEqual(noted);
    expect(await readPenalties(path)).toEqual(noted);
  });
});

describe('grudges', () => {
  it('are by node and peer, with reasons, the worst score and the first ban', () => {
    const grudges = grudgesIn([
      penalty({}),
      penalty({ at_ms: 2, score: -2 }),
      penalty({ at_ms: 3, event: 'pruned', points: 0, score: -1.9 }),
      penalty({ at_ms: 4, event: 'blocks refused', points: -100, score: -100, banned: true }),
      penalty({ at_ms: 5, event: 'refused as banned', points: 0, score: -100, banned: true }),
      penalty({ at_ms: 6, node: 'b', client: 'Prysm', event: 'goodbye cut', points: 1, score: 1 }),
      penalty({ at_ms: 7, node: 'b', client: 'Prysm', event: 'goodbye cut', points: 1, score: 2 }),
      penalty({ at_ms: 8, node: 'a', peer_id: 'another' }),
    ]);
    expect(grudges).toEqual([
      {
        node: 'a',
        client: 'Lighthouse',
        peerId: 'crawler',
        reasons: { 'status reset': 2, 'blocks refused': 1 },
        worstScore: -100,
        bannedAtMs: 4,
      },
      { node: 'b', client: 'Prysm', peerId: 'crawler', reasons: { 'goodbye cut': 2 }, worstScore: 2, bannedAtMs: null },
      {
        node: 'a',
        client: 'Lighthouse',
        peerId: 'another',
        reasons: { 'status reset': 1 },
        worstScore: -1,
        bannedAtMs: null,
      },
    ]);
  });
});
