import { z } from 'zod';
import type { PeerState } from '../../../actors/peer.ts';
import { CAUSES, STAGES } from '../../../consensus/failure.ts';
import type { PeerStore } from '../../../streams/ports/peer-store.ts';
import type { SqliteDatabase } from '../sqlite/sqlite.ts';

/** JSON has no Infinity: a peer that waits for a newer record is stored as waiting until `null`. */
const untilRecord = z
  .number()
  .nullable()
  .transform((value) => value ?? Number.POSITIVE_INFINITY);

const phase = z.discriminatedUnion('name', [
  z.object({ name: z.enum(['known', 'dialing', 'handshaking', 'probing', 'forgotten']) }),
  z.object({ name: z.literal('resting'), untilMs: z.number().nullable() }),
  z.object({ name: z.literal('backing-off'), untilMs: untilRecord }),
]);

const storedPeer = z.object({
  peerId: z.string(),
  enr: z.string().nullable(),
  enrSequence: z
    .string()
    .regex(/^-?\d{1,20}$/)
    .transform((value) => BigInt(value)),
  addresses: z.array(z.string()),
  phase,
  failures: z.number(),
  lastFailure: z.object({ stage: z.enum(STAGES), cause: z.enum(CAUSES), detail: z.string().optional() }).nullable(),
  firstSeenMs: z.number(),
  lastAliveMs: z.number(),
  lastObservedEpoch: z.number(),
  observations: z.number(),
  agent: z.string().nullable(),
  // Older records do not tell.
  isUnreachable: z.boolean().default(false),
  wasReached: z.boolean().default(false),
});

/** The registry's records in the `peers` table of the sentry's database. */
export function sqlitePeerStore(database: SqliteDatabase): PeerStore {
  return {
    async load() {
      const rows = await database.all<{ record: string }>('SELECT record FROM peers');
      return rows.flatMap(({ record }) => decode(record));
    },
    async save(changed, forgotten) {
      if (changed.length === 0 && forgotten.length === 0) return;
      const nowMs = Date.now();
      const rows = changed.map((peer) => ({ id: peer.peerId, record: encode(peer) }));
      await database.transaction(async () => {
        await database.run(
          `INSERT INTO peers (peer_id, record, updated_ms)
           SELECT value ->> 'id', value ->> 'record', ? FROM json_each(?)
           WHERE true ON CONFLICT (peer_id) DO UPDATE SET record = excluded.record, updated_ms = excluded.updated_ms`,
          nowMs,
          JSON.stringify(rows),
        );
        await database.run(
          'DELETE FROM peers WHERE peer_id IN (SELECT value FROM json_each(?))',
          JSON.stringify(forgotten),
        );
      });
    },
  };
}

function encode(peer: PeerState): string {
  return JSON.stringify({ ...peer, enrSequence: peer.enrSequence.toString() });
}

/** A record of another version is left out: discovery will meet the peer again. */
function decode(text: string): PeerState[] {
  const parsed = storedPeer.safeParse(parseJson(text));
  return parsed.success ? [parsed.data as PeerState] : [];
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
