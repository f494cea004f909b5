import type { Logger } from '../../logging/logger.ts';

/** Asks one durable's consumer which of the events it has not applied; `null` when it does not say. */
export type Ask = (durable: string, eventIds: readonly string[]) => Promise<ReadonlySet<string> | null>;

/** Questions about what has been applied without an answer, until that is told. */
const TOLD_SILENCES = 15;

/**
 * Asks one consumer after the other which of the events it has not applied, and gives all of these together; `null` as soon as
 * one does not say. Warns once when it has been silent often in a row: a consumer that was ended just now is no news.
 */
export function askingAll(ask: Ask, logger: Logger) {
  const silencesOf = new Map<string, number>();

  function noteAnswer(durable: string, isSilent: boolean): void {
    const count = isSilent ? (silencesOf.get(durable) ?? 0) + 1 : 0;
    silencesOf.set(durable, count);
    if (count !== TOLD_SILENCES) return;
    logger.warn(
      { durable },
      `nobody says what the durable ${durable} has applied: events stay in the spool until a consumer does`,
    );
  }

  return async (durables: readonly string[], eventIds: readonly string[]): Promise<ReadonlySet<string> | null> => {
    const unapplied = new Set<string>();
    for (const durable of durables) {
      const said = await ask(durable, eventIds);
      noteAnswer(durable, said === null);
      if (said === null) return null;
      for (const eventId of said) unapplied.add(eventId);
    }
    return unapplied;
  };
}
