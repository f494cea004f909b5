import { parse, View } from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';
import type { Cell } from './run.ts';

/** Truth against estimate, one panel a client, as SVG. */
export async function drawPlot(cells: readonly Cell[], activeValidators: number): Promise<string> {
  // Zero has no place on a logarithmic axis; half a validator stands for it.
  const values = cells.map((cell) => ({
    ...cell,
    truth: Math.max(cell.validators, 0.5),
    estimate: Math.max(cell.mean, 0.5),
    low: Math.max(cell.lowerQuartile, 0.5),
    high: Math.max(cell.upperQuartile, 0.5),
  }));
  const scale: { type: 'log'; domain: number[]; nice: boolean } = { type: 'log', domain: [0.4, 5_000], nice: false };
  const truthLine = [{ truth: 0.5 }, { truth: 4_000 }].map((point) => ({ ...point, estimate: point.truth }));
  const spec: TopLevelSpec = {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    background: 'white',
    title: {
      text: `Estimates against truth, ${activeValidators.toLocaleString('en-US')} active validators, one day of observations`,
      subtitle:
        'Points are means, bars hold the middle half of the nodes, the grey line is the truth. 0 is drawn at 0.5.',
    },
    data: { values },
    facet: { field: 'client', type: 'nominal', title: null },
    columns: 3,
    spec: {
      width: 260,
      height: 220,
      layer: [
        {
          data: { values: truthLine },
          mark: { type: 'line', color: '#999999', strokeDash: [4, 3] },
          encoding: {
            x: { field: 'truth', type: 'quantitative', scale },
            y: { field: 'estimate', type: 'quantitative', scale },
          },
        },
        {
          mark: { type: 'rule' },
          encoding: {
            x: { field: 'truth', type: 'quantitative', scale, title: 'true validators' },
            y: { field: 'low', type: 'quantitative', scale, title: 'estimate' },
            y2: { field: 'high' },
            color: { field: 'method', type: 'nominal' },
          },
        },
        {
          mark: { type: 'point', filled: true, size: 55, opacity: 0.9 },
          encoding: {
            x: { field: 'truth', type: 'quantitative', scale },
            y: { field: 'estimate', type: 'quantitative', scale },
            color: { field: 'method', type: 'nominal', title: 'method', scale: { scheme: 'dark2' } },
            shape: { field: 'method', type: 'nominal', title: 'method' },
          },
        },
      ],
    },
  };
  return new View(parse(compile(spec).spec), { renderer: 'none' }).toSVG();
}
