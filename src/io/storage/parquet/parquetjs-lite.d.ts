/** The part of parquetjs-lite that is used here; the package brings no types. */
declare module 'parquetjs-lite' {
  export interface LeafField {
    readonly type: 'UTF8' | 'INT32' | 'INT64' | 'DOUBLE' | 'BOOLEAN';
    readonly optional?: boolean;
    readonly compression?: 'SNAPPY';
    readonly statistics?: boolean;
  }

  export interface GroupField {
    readonly type?: 'LIST';
    readonly optional?: boolean;
    readonly repeated?: boolean;
    readonly fields: Readonly<Record<string, LeafField | GroupField>>;
  }

  export interface WriterOptions {
    readonly flags?: string;
    readonly useDataPageV2?: boolean;
    readonly rowGroupSize?: number;
    readonly pageIndex?: boolean;
  }

  /** What it uses of a stream. */
  export interface ByteSink {
    write(chunk: Uint8Array, done: (error?: Error | null) => void): void;
    end(done: (error?: Error | null) => void): void;
  }

  export interface OutputStream {
    write(bytes: Uint8Array, done: () => void): void;
    end(done: () => void): void;
  }

  class ParquetSchema {
    constructor(fields: Readonly<Record<string, LeafField | GroupField>>);
  }

  class ParquetWriter {
    static openStream(schema: ParquetSchema, stream: OutputStream, options?: WriterOptions): Promise<ParquetWriter>;
    static openStream(schema: ParquetSchema, stream: ByteSink, options?: WriterOptions): Promise<ParquetWriter>;
    /** Rejects with a text when the row does not fit the schema. */
    appendRow(row: object): Promise<void>;
    close(): Promise<void>;
  }

  class ParquetReader {
    static openFile(path: string): Promise<ParquetReader>;
    /** A 64-bit integer. */
    getRowCount(): { valueOf(): number };
    getCursor(): { next(): Promise<Record<string, unknown> | null> };
    close(): Promise<void>;
  }

  const parquet: {
    readonly ParquetSchema: typeof ParquetSchema;
    readonly ParquetWriter: typeof ParquetWriter;
    readonly ParquetReader: typeof ParquetReader;
  };
  export default parquet;
}
