import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { newPeer, type PeerPhase, type PeerState } from '../../../../src/actors/peer.ts';
import { CAUSES, failure, STAGES } from '../../../../src/consensus/failure.ts';
import { sqlitePeerStore } from '../../../../src/io/storage/sentry/peer-store.ts';
import { openSentryDatabase } from '../../../../src/io/storage/sentry/sentry-database.ts';
import { databaseForEachTest } from '../../../support/database-for-each-test.ts';

const sentry = databaseForEachTest(openSentryDatabase);

const unixMs = fc.integer({ min: 0, max: 4_000_000_000_000 });
const phase: fc.Arbitrary<PeerPhase> = fc.oneof(
  fc.constantFrom('known', 'dialing', 'handshaking', 'probing', 'forgotten').map((name) => ({ name })),
  fc.option(unixMs).map((untilMs) => ({ name: 'resting', untilMs })),
  fc.oneof(unixMs, fc.constant(Number.POSITIVE_INFINITY)).map((untilMs) => ({ name: 'backing-off', untilMs })),
) as fc.Arbitrary<PeerPhase>;

const peer: fc.Arbitrary<PeerState> = fc
  .record({
    peerId: fc.stringMatching(/^[1-9A-HJ-NP-Za-km-z]{10,60}$/),
    enr: fc.option(fc.string()),
    enrSequence: fc.oneof(fc.constant(-1n), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })),
    addresses: fc.array(fc.string(), { maxLength: 4 }),
    phase,
    failures: fc.nat(),
    lastFailure: fc.option(
      fc
        .tuple(fc.constantFrom(...STAGES), fc.constantFrom(...CAUSES), fc.option(fc.string({ unit: 'binary' })))
        .map(([stage, cause, detail]) => failure(stage, cause, detail?.toWellFormed())),
    ),
    firstSeenMs: unixMs,
    lastAliveMs: unixMs,
    lastObservedEpoch: fc.integer({ min: -1 }),
    observations: fc.nat(),
    agent: fc.option(fc.string()),
  })
  .map((drawn) => ({ ...newPeer(drawn.peerId, drawn.firstSeenMs), ...drawn }));

const byId = (peers: readonly PeerState[]) => new Map(peers.map((each) => [each.peerId, each]));

describe('the peer store', () => {
  it('brings back what was saved, the last time each', async () => {
    const peers = fc.uniqueArray(peer, { maxLength: 20, selector: ({ peerId }) => peerId });
    await fc.assert(
      fc.asyncProperty(peers, fc.infiniteStream(fc.boolean()), async (drawn, coins) => {
        await sentry.database.exec('DELETE FROM peers');
        const store = sqlitePeerStore(sentry.database);
        await store.save(
          drawn.map((each) => newPeer(each.peerId, 0)),
          [],
        );
        const forgotten = drawn.filter(() => coins.next().value).map(({ peerId }) => peerId);
        await store.save(drawn, forgotten);
        const expected = drawn.filter(({ peerId }) => !forgotten.includes(peerId));
        expect(byId(await store.load())).toEqual(byId(expected));
      }),
      { numRuns: 50 },
    );
  });

  it('forgets a peer that was never saved, and saves nothing of nothing', async () => {
    const store = sqlitePeerStore(sentry.database);
    await store.save([], ['nobody']);
    await store.save([], []);
    expect(await store.load()).toEqual([]);
  });

  it('keeps the former state of all peers when one cannot be written', async () => {
    const store = sqlitePeerStore(sentry.database);
    await store.save([newPeer('a', 1)], []);
    await sentry.database.exec(
      "CREATE TRIGGER full BEFORE DELETE ON peers BEGIN SELECT RAISE(ABORT, 'disk full'); END",
    );
    await expect(store.save([newPeer('a', 2), newPeer('b', 2)], ['a'])).rejects.toThrow(/disk full/);
    expect(await store.load()).toEqual([newPeer('a', 1)]);
  });

  it.each([
    ['not JSON', '{'],
    ['another shape', '{"peerId":"x"}'],
    ['null', 'null'],
    ['a sequence that is no number', { enrSequence: 'many' }],
    ['a sequence of a fraction', { enrSequence: '1.5' }],
    ['an unknown phase', { phase: { name: 'asleep' } }],
    ['an unknown cause', { lastFailure: { stage: 'dial', cause: 'bad luck' } }],
  ])('leaves out a record of %s and keeps the others', async (_, change) => {
    const store = sqlitePeerStore(sentry.database);
    await store.save([newPeer('good', 1), newPeer('bad', 1)], []);
    const { record } = (await sentry.database.get<{ record: string }>(
      "SELECT record FROM peers WHERE peer_id = 'bad'",
    )) ?? {
      record: '',
    };
    const changed = typeof change === 'string' ? change : JSON.stringify({ ...JSON.parse(record), ...change });
    await sentry.database.run("UPDATE peers SET record = ? WHERE peer_id = 'bad'", changed);
    expect(await store.load()).toEqual([newPeer('good', 1)]);
  });

  it('keeps thousands of peers in one transaction', async () => {
    const store = sqlitePeerStore(sentry.database);
    const many = Array.from({ length: 5_000 }, (_, index) => newPeer(`peer ${index}`, index));
    await store.save(many, []);
    expect(await store.load()).toHaveLength(5_000);
  });
});
