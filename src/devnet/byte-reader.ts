/** The other side closed before all that was promised had come. */
export class UnexpectedEnd extends Error {
  override readonly name = 'UnexpectedEnd';
}

/** Reads exact numbers of bytes from chunks of any size. */
export class ByteReader {
  readonly #chunks: AsyncIterator<{ subarray(): Uint8Array }>;
  #buffered = Buffer.alloc(0);

  constructor(chunks: AsyncIterable<{ subarray(): Uint8Array }>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** @throws UnexpectedEnd when fewer than `count` bytes come. */
  async take(count: number): Promise<Buffer> {
    while (this.#buffered.length < count) {
      if (!(await this.#fill())) throw new UnexpectedEnd(`${this.#buffered.length} of ${count} bytes came`);
    }
    const taken = this.#buffered.subarray(0, count);
    this.#buffered = this.#buffered.subarray(count);
    return taken;
  }

  /** Waits for the next byte or the end; true at the end. */
  async atEnd(): Promise<boolean> {
    while (this.#buffered.length === 0) if (!(await this.#fill())) return true;
    return false;
  }

  async #fill(): Promise<boolean> {
    const { value, done } = await this.#chunks.next();
    if (done === true) return false;
    this.#buffered = Buffer.concat([this.#buffered, value.subarray()]);
    return true;
  }
}
