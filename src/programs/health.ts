/** Resolves to `null`, or to the reason, in words for people, why the program is not doing its work. */
export type Check = () => Promise<string | null>;

/** Remembers whether the last attempt at something worked. */
export interface Attempts {
  succeeded(): void;
  failed(error: unknown): void;
  readonly check: Check;
}

export function attemptsAt(what: string): Attempts {
  let reason: string | null = null;
  return {
    succeeded() {
      reason = null;
    },
    failed(error) {
      reason = `${what} failed and is tried again: ${error instanceof Error ? error.message : String(error)}`;
    },
    check: async () => reason,
  };
}
