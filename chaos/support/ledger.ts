import { writeFile } from 'node:fs/promises';
import type { ChaosEvent } from './events.ts';

/**
 * What the harness knows of its events, from what went in and what was promised; never from what is stored. An event
 * that was sent and not promised when its sentry was killed is in doubt: it may be stored once, or not at all.
 */
export interface Ledger {
  /** By serial. */
  readonly sent: ReadonlyMap<number, ChaosEvent>;
  /** Event ids by serial: the sentry has promised these. */
  readonly committed: ReadonlyMap<number, string>;
  send(event: ChaosEvent): void;
  commit(serial: number, eventId: string): void;
}

export function openLedger(): Ledger {
  const sent = new Map<number, ChaosEvent>();
  const committed = new Map<number, string>();
  return {
    sent,
    committed,
    send: (event) => void sent.set(event.serial, event),
    commit(serial, eventId) {
      if (!sent.has(serial)) throw new Error(`the sentry promises event ${serial}, which was never sent`);
      if (committed.has(serial)) throw new Error(`the sentry promises event ${serial} twice`);
      committed.set(serial, eventId);
    },
  };
}

/** For people who look for what went wrong: a line an event, with its id when it was promised. */
export async function writeLedger({ sent, committed }: Ledger, path: string): Promise<void> {
  const lines = [...sent.values()].map(({ serial, subject, wire }) => {
    return JSON.stringify({ serial, promised: committed.get(serial) ?? null, subject, wire });
  });
  await writeFile(path, `${lines.join('\n')}\n`);
}
