/** How the view can be written. */
export const EXPORT_FORMATS = ['csv', 'json', 'ndjson', 'geojson', 'parquet'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

/** The format that a file's name ends in; `null` when it is none of them. */
export function formatOfName(name: string): ExportFormat | null {
  return EXPORT_FORMATS.find((format) => name.toLowerCase().endsWith(`.${format}`)) ?? null;
}
