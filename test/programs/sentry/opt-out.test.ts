import { tap } from 'rxjs';
import { expect, it, vi } from 'vitest';
import { newPeer, type PeerState } from '../../../src/actors/peer.ts';
import { parseOptOut } from '../../../src/consensus/opt-out.ts';
import { sqlitePeerStore } from '../../../src/io/storage/sentry/peer-store.ts';
import { openSentryDatabase } from '../../../src/io/storage/sentry/sentry-database.ts';
import { enrWith } from '../../support/consensus/raw-enr.ts';
import { databaseForEachTest } from '../../support/database-for-each-test.ts';
import { quietSentry } from '../../support/e2e/quiet-sentry.ts';

const PEER = '16Uiu2HAmHQbC4bRTKZ1ERziAgL9hnjPVYJjJgR7SK39tqzMwQ4TD';
const OTHER = '16Uiu2HAm9dqnTSYPpqFevmJXXvRUavRzcEuYPVS2htkoQLumpu4w';

const folder = databaseForEachTest(openSentryDatabase);

function known(peerId: string, ip: string, enr: string | null = null): PeerState {
  return { ...newPeer(peerId, 0), enr, addresses: [`/ip4/${ip}/tcp/9`], phase: { name: 'known' } };
}

it.each([
  ['peer id', PEER, known(PEER, '127.0.0.3')],
  ['address', '127.0.0.3', known(PEER, '127.0.0.3')],
  ['network, by an address that only its record has', '127.0.0.0/29', known(PEER, '127.9.9.9', recordAt(127, 0, 0, 3))],
])('a peer of an earlier run that has asked since, by %s, is neither dialled nor kept', async (_, line, hermit) => {
  const { path: dataDir, database } = folder;
  const store = sqlitePeerStore(database);
  await store.save([hermit, known(OTHER, '127.8.8.8')], []);
  const optOut = parseOptOut(line);
  if (!optOut.ok) throw new Error(optOut.reason);
  const dialled: string[] = [];
  const sentry = await quietSentry({
    slotMs: 50,
    dataDir,
    database,
    optOut: optOut.value,
    experiment: (usual) => ({
      ...usual,
      dial: (visits) =>
        visits.pipe(
          tap(({ peerId }) => dialled.push(peerId)),
          usual.dial,
        ),
    }),
  });
  // Peers of another network's clock are due at their moment of the next epoch.
  await vi.waitFor(() => expect(dialled).toContain(OTHER), { timeout: 10_000 }).finally(() => sentry.stop());
  expect(dialled).not.toContain(PEER);
  expect((await store.load()).map(({ peerId }) => peerId)).toEqual([OTHER]);
});

function recordAt(...ip: readonly number[]): string {
  return enrWith({ ip: Uint8Array.from(ip), tcp: Uint8Array.of(9) });
}
