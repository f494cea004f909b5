import type { Report } from './scenario.ts';

/** `kill: kills 200 (…), events 50000, lost 0, …, 312.0 s: held`, and under it what is wrong. */
export function lineOf(report: Report): string {
  const { scenario, did, figures, seconds, problems } = report;
  const numbers = Object.entries(figures).map(([name, figure]) => `${name} ${figure}`);
  const line = [`${scenario}: ${did}`, ...numbers, `${seconds.toFixed(1)} s`].join(', ');
  return [`${line}: ${verdictOf(report)}`, ...problems.map((problem) => `  ! ${problem}`)].join('\n');
}

export function verdictOf({ ok, isImpossible = false }: Pick<Report, 'ok' | 'isImpossible'>): string {
  if (isImpossible) return 'NOT DONE';
  return ok ? 'held' : 'FAILED';
}

const COLUMNS = ['events', 'lost', 'repeated', 'wrong', 'broken files'] as const;

/** One row a scenario; a dash where a scenario does not count such a thing. */
export function tableOf(reports: readonly Report[]): string {
  const header = ['scenario', ...COLUMNS, 'seconds', ''];
  const rows = reports.map((report) => [
    report.scenario,
    ...COLUMNS.map((column) => String(report.figures[column] ?? '-')),
    report.seconds.toFixed(1),
    verdictOf(report),
  ]);
  const widths = header.map((_, index) => Math.max(...[header, ...rows].map((row) => row[index]?.length ?? 0)));
  return [header, ...rows]
    .map((row) =>
      row
        .map((cell, index) => (index === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[index] ?? 0)))
        .join('  '),
    )
    .join('\n');
}
