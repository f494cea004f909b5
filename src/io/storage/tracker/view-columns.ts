import type { SqliteDatabase } from '../sqlite/sqlite.ts';
import { BOOLEAN_COLUMNS, JSON_COLUMNS } from './view-reader.ts';

/** What the values of a column are in the records that a `ViewReader` gives. */
export type ColumnKind = 'text' | 'integer' | 'real' | 'boolean' | 'integers';

export interface ViewColumn {
  readonly name: string;
  readonly kind: ColumnKind;
}

/** The columns of `validator_tracker`, in their order; none when the file has no such table. */
export async function viewColumns(database: SqliteDatabase): Promise<ViewColumn[]> {
  const rows = await database.all<{ name: string; type: string }>('PRAGMA table_info(validator_tracker)');
  return rows.map(({ name, type }) => ({ name, kind: kindOf(name, type) }));
}

function kindOf(name: string, type: string): ColumnKind {
  if (JSON_COLUMNS.includes(name)) return 'integers';
  if (BOOLEAN_COLUMNS.includes(name)) return 'boolean';
  if (type === 'INTEGER') return 'integer';
  return type === 'REAL' ? 'real' : 'text';
}
