/** The program was called in a way it does not understand: one line for the user, exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
