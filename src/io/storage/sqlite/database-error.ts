/** The file is not a usable database, or is newer than this program; the message, one line, says what to do. */
export class DatabaseError extends Error {
  override readonly name = 'DatabaseError';
}
