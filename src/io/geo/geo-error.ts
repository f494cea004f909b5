/** A source of locations is not configured as it has to be; the message is one line that names it and the remedy. */
export class GeoError extends Error {
  override readonly name = 'GeoError';
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
