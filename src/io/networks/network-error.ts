/** A network is unknown or its description cannot be used; the message says what is allowed. */
export class NetworkError extends Error {
  override readonly name = 'NetworkError';
}
