import { Counter, Gauge, Registry } from 'prom-client';

/** One figure for Prometheus, described where it is made. Its labels come from closed lists only. */
export interface Metric {
  readonly kind: 'gauge' | 'counter';
  /** Without the `valtrack_` that all have. A counter's name ends with `_total`. */
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly string[];
  /** Tells the values at the moment of a scrape. */
  readonly fill: Fill<string>;
}

export type Fill<Label extends string> = (
  set: (labels: Partial<Record<Label, string>>, value: number) => void,
) => void | Promise<void>;

/** What may go up and down. */
export function gauge<Label extends string>(
  name: string,
  help: string,
  labelNames: readonly Label[],
  fill: Fill<Label>,
): Metric {
  return { kind: 'gauge', name, help, labelNames, fill: fill as Fill<string> };
}

/** What only grows while the process lives. */
export function counter<Label extends string>(
  name: string,
  help: string,
  labelNames: readonly Label[],
  fill: Fill<Label>,
): Metric {
  return { kind: 'counter', name, help, labelNames, fill: fill as Fill<string> };
}

export interface MetricsPage {
  readonly contentType: string;
  readonly text: string;
}

/**
 * The metrics as Prometheus reads them, every value asked for now. Several with the same name are one metric that each of
 * them fills in part: so parts that know nothing of each other tell the same thing of themselves.
 */
export async function renderMetrics(metrics: readonly Metric[]): Promise<MetricsPage> {
  const registry = new Registry();
  for (const [name, same] of Map.groupBy(metrics, (metric) => metric.name)) register(registry, name, same);
  return { contentType: registry.contentType, text: await registry.metrics() };
}

function register(registry: Registry, name: string, same: readonly Metric[]): void {
  const [{ kind, help, labelNames }] = same as readonly [Metric];
  const described = { name: `valtrack_${name}`, help, labelNames: [...labelNames], registers: [registry] };
  const fillAll = async (set: Parameters<Fill<string>>[0]) => {
    for (const { fill } of same) await fill(set);
  };
  if (kind === 'gauge') {
    new Gauge({
      ...described,
      collect() {
        return fillAll((labels, value) => this.set(labels as Record<string, string>, value));
      },
    });
    return;
  }
  new Counter({
    ...described,
    collect() {
      return fillAll((labels, value) => this.inc(labels as Record<string, string>, value));
    },
  });
}
