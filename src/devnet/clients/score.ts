import { BoundedMap } from '../limits.ts';

/** The score that Lighthouse and, after it, Lodestar keep of each peer: it falls by penalties and halves with time. */
export interface DecayingScores {
  at(peerId: string, nowMs: number): number;
  /** Adds points, which are negative, and returns the new score. */
  add(peerId: string, points: number, nowMs: number): number;
  /** The score does not decay before then. */
  rest(peerId: string, untilMs: number): void;
  isResting(peerId: string, nowMs: number): boolean;
}

export interface DecayingScoresOptions {
  readonly halfLifeMs: number;
  readonly lowest: number;
  /** At this score and below a peer is banned. */
  readonly banAt: number;
  /** How long a ban lasts before the score begins to decay. */
  readonly banMs: number;
}

export function decayingScores({ halfLifeMs, lowest, banAt, banMs }: DecayingScoresOptions): DecayingScores {
  const entries = new BoundedMap<{ readonly score: number; readonly sinceMs: number }>();

  const at = (peerId: string, nowMs: number): number => {
    const entry = entries.get(peerId);
    if (entry === undefined) return 0;
    return entry.score * 2 ** (-Math.max(0, nowMs - entry.sinceMs) / halfLifeMs);
  };

  return {
    at,
    add: (peerId, points, nowMs) => {
      const before = at(peerId, nowMs);
      const score = Math.max(lowest, before + points);
      const restsUntilMs = Math.max(nowMs, entries.get(peerId)?.sinceMs ?? 0);
      entries.set(peerId, { score, sinceMs: before > banAt && score <= banAt ? nowMs + banMs : restsUntilMs });
      return score;
    },
    rest: (peerId, untilMs) => {
      entries.set(peerId, { score: entries.get(peerId)?.score ?? 0, sinceMs: untilMs });
    },
    isResting: (peerId, nowMs) => nowMs < (entries.get(peerId)?.sinceMs ?? 0),
  };
}
