import { parse, View } from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';
import type { Cell } from './cells.ts';
import { METHODS } from './judge.ts';

/** Okabe and Ito's colours, told apart by people who see few; each method has a shape of its own besides. */
const COLOURS: Readonly<Record<string, string>> = {
  published: '#999999',
  legacy: '#56B4E9',
  custody: '#E69F00',
  subnets: '#0072B2',
  combined: '#D55E00',
};
/** Open marks around a dot, so that methods that agree can all be seen. */
const MARKS: Readonly<Record<string, { readonly shape: string; readonly size: number; readonly filled: boolean }>> = {
  published: { shape: 'cross', size: 45, filled: true },
  legacy: { shape: 'diamond', size: 45, filled: true },
  custody: { shape: 'square', size: 120, filled: false },
  subnets: { shape: 'circle', size: 30, filled: true },
  combined: { shape: 'triangle-up', size: 260, filled: false },
};
/** Zero has no place on a logarithmic axis: it is drawn here, and labelled so. */
const ZERO_AT = 0.3;

const GRID = '#e4e4e4';
const LOG_AXIS = {
  values: [ZERO_AT, 1, 10, 100, 1_000],
  labelExpr: `datum.value < 1 ? '0' : format(datum.value, ',')`,
  gridColor: GRID,
};
const SCALE: { type: 'log'; domain: number[]; nice: boolean } = { type: 'log', domain: [0.2, 7_000], nice: false };
const COUNT_SCALE = { ...SCALE, domain: [0.8, 4_000] };
const COUNT_AXIS = { ...LOG_AXIS, values: [1, 10, 100, 1_000] };
const SHARE_SCALE = { domain: [0.8, 1], nice: false };
const NUMBER = new Intl.NumberFormat('en-US');

function placed(validators: number): number {
  return Math.max(validators, ZERO_AT);
}

/** Truth against estimate, one panel a client, as SVG. */
export async function drawEstimates(cells: readonly Cell[], activeValidators: number): Promise<string> {
  const methods = METHODS.filter((method) => cells.some((cell) => cell.method === method));
  const values = cells.map((cell) => ({
    client: cell.client,
    method: cell.method,
    truth: placed(cell.validators),
    estimate: placed(cell.mean),
    low: placed(cell.lowerQuartile),
    high: placed(cell.upperQuartile),
  }));
  const isSaturated = cells.some(({ method, bounds }) => method === 'combined' && bounds > 0.5);
  const x = {
    field: 'truth',
    type: 'quantitative',
    scale: SCALE,
    axis: LOG_AXIS,
    title: 'true validators (log)',
  } as const;
  const y = { type: 'quantitative', scale: SCALE, axis: LOG_AXIS, title: 'estimate (log)' } as const;
  const colour = {
    field: 'method',
    type: 'nominal',
    title: 'method',
    scale: { domain: methods, range: methods.map((method) => COLOURS[method] ?? 'black') },
  } as const;
  const shape = {
    field: 'method',
    type: 'nominal',
    title: 'method',
    scale: { domain: methods, range: methods.map((method) => MARKS[method]?.shape ?? 'circle') },
  } as const;
  const spec: TopLevelSpec = {
    ...PAGE,
    title: {
      text: `Counting subnets understates; the model does not: ${NUMBER.format(activeValidators)} active validators`,
      subtitle: [
        'One look an epoch for 225 epochs. Marks are means, bars hold the middle half of the simulated nodes, the dashed line is the truth.',
        ...(isSaturated
          ? ['Below the line: every subnet was lit in every look, and there is a lower bound only.']
          : []),
      ],
      ...TITLE,
    },
    data: { values },
    facet: { field: 'client', type: 'nominal', title: null, header: HEADER },
    columns: 3,
    spec: {
      width: 255,
      height: 230,
      layer: [
        {
          data: { values: [ZERO_AT, 5_000].map((truth) => ({ truth, estimate: truth })) },
          mark: { type: 'line', color: '#555555', strokeDash: [5, 4], strokeWidth: 1 },
          encoding: { x, y: { ...y, field: 'estimate' } },
        },
        {
          mark: { type: 'rule', strokeWidth: 1.5 },
          encoding: { x, y: { ...y, field: 'low' }, y2: { field: 'high' }, color: colour },
        },
        ...methods.map((method) => ({
          transform: [{ filter: `datum.method === '${method}'` }],
          mark: { type: 'point' as const, ...MARKS[method], strokeWidth: 1.5, opacity: 1 },
          encoding: { x, y: { ...y, field: 'estimate' }, color: colour, shape },
        })),
      ],
    },
  };
  return render(spec);
}

/** How often the interval of `subnets` holds the truth, one panel a client, as SVG. */
export async function drawCoverage(cells: readonly Cell[]): Promise<string> {
  const sizes = [...new Set(cells.map((cell) => NUMBER.format(cell.activeValidators)))];
  const values = cells
    .filter(({ method, validators }) => method === 'subnets' && validators > 0)
    .map(({ client, validators, coverage, activeValidators }) => ({
      client,
      validators,
      coverage,
      network: NUMBER.format(activeValidators),
    }));
  const network = { field: 'network', type: 'nominal' as const, title: 'active validators', sort: sizes };
  const x = {
    field: 'validators',
    type: 'quantitative',
    scale: COUNT_SCALE,
    axis: COUNT_AXIS,
    title: 'true validators (log)',
  } as const;
  const y = {
    type: 'quantitative',
    scale: SHARE_SCALE,
    axis: { format: '.0%', gridColor: GRID },
    title: 'intervals that hold the truth',
  } as const;
  const spec: TopLevelSpec = {
    ...PAGE,
    title: {
      text: '90 % intervals hold the truth in nine of ten cases, where there is enough to count',
      subtitle: [
        'Method subnets. The band is 87 to 93 %. At the left of each panel a handful of sightings decides; with 1,000 of 2,000 validators',
        'every subnet is lit, and there is a lower bound only.',
      ],
      ...TITLE,
    },
    data: { values },
    facet: { field: 'client', type: 'nominal', title: null, header: HEADER },
    columns: 3,
    spec: {
      width: 255,
      height: 170,
      layer: [
        {
          data: { values: [{ low: 0.87, high: 0.93 }] },
          mark: { type: 'rect', color: '#dddddd', opacity: 0.7 },
          encoding: { y: { ...y, field: 'low' }, y2: { field: 'high' } },
        },
        {
          mark: { type: 'line', strokeWidth: 1.5 },
          encoding: {
            x,
            y: { ...y, field: 'coverage' },
            color: { ...network, scale: { range: ['#D55E00', '#0072B2', '#E69F00'] } },
          },
        },
        {
          mark: { type: 'point', filled: true, size: 50, opacity: 1 },
          encoding: {
            x,
            y: { ...y, field: 'coverage' },
            color: { ...network, scale: { range: ['#D55E00', '#0072B2', '#E69F00'] } },
            shape: { ...network, scale: { range: ['triangle-up', 'circle', 'square'] } },
          },
        },
      ],
    },
  };
  return render(spec);
}

const PAGE = {
  $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
  background: 'white',
  padding: 12,
  config: {
    axis: { labelFontSize: 11, titleFontSize: 11 },
    legend: { labelFontSize: 12, titleFontSize: 12, symbolSize: 70 },
  },
} as const;
const TITLE = { anchor: 'start', fontSize: 16, subtitleFontSize: 12, subtitleColor: '#444444', offset: 14 } as const;
const HEADER = { labelFontSize: 13, labelFontWeight: 'bold' } as const;

async function render(spec: TopLevelSpec): Promise<string> {
  return new View(parse(compile(spec).spec), { renderer: 'none' }).toSVG();
}
