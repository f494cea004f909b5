/** What was asked for, or `null` when the server says that there is no such thing. */
export async function found<T>(asked: Promise<T>, isMissing: (error: unknown) => boolean): Promise<T | null> {
  try {
    return await asked;
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}
