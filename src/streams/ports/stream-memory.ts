import type { StreamState } from './spool.ts';

/** Remembers over restarts to which stream the spool was published, and how far that is certain. */
export interface StreamMemory {
  load(): Promise<Remembered | null>;
  save(remembered: Remembered): Promise<void>;
}

export interface Remembered {
  readonly incarnation: string;
  /** The position of the spool up to which the stream surely has everything. */
  readonly settled: number;
  /** The highest sequence that the stream gave to any of that. One that has come back with less has lost some of it. */
  readonly sequence: number;
  readonly readers: StreamState['readers'];
}
