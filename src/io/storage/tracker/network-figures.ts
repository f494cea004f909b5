import { clientOf } from '../../../consensus/client.ts';
import { dayOf } from '../../../consensus/day.ts';
import { type CalibratedWindow, calibrateWindows } from '../../../consensus/estimators/calibration.ts';
import type { EstimatorNetwork } from '../../../consensus/estimators/estimator-network.ts';
import { candidates } from '../../../consensus/estimators/peer-statistics.ts';
import type { SqliteDatabase } from '../sqlite/sqlite.ts';
import { decodeEvidence } from './estimator-state.ts';
import { addSums, type Figures, figuresOf, NO_SUMS, SUM_COLUMNS, type Sums } from './figures.ts';
import type { TimeRange } from './view-reader.ts';

export const DIMENSIONS = ['country', 'city', 'asn', 'asn_type', 'client'] as const;
export type Dimension = (typeof DIMENSIONS)[number];

/** The nodes of one country, city, network or client, and the validators behind them. */
export interface Cell extends Figures {
  /** `null` where it is unknown. */
  readonly key: string | null;
  /** A longer name, where there is one: the organisation of an ASN. */
  readonly name: string | null;
}

export interface MethodTotal {
  readonly method: string;
  /** Sum over the nodes it has an estimate for. */
  readonly validators: number;
  readonly nodes: number;
}

export interface DayFigures extends Figures {
  /** `YYYY-MM-DD`, UTC. */
  readonly day: string;
}

/** Sums over the view. Each takes the peers last seen in a range. */
export interface NetworkFigures {
  /** Active validators of the network; `null` when it is not known. */
  readonly activeValidators: number | null;
  /** The day up to the newest observation: what is there now, as far as was seen. */
  newestDay(): Promise<TimeRange>;
  totals(range: TimeRange): Promise<Figures>;
  methods(range: TimeRange): Promise<MethodTotal[]>;
  /**
   * By validators, the largest first. Cells with fewer nodes than `fewestNodes` are one, `other`, that has at least as many; where even
   * all nodes together are too few, there is none.
   */
  cells(by: Dimension, range: TimeRange, fewestNodes: number): Promise<Cell[]>;
  /** One entry for each day with observations, ascending; days (UTC) that the range touches. */
  history(range: TimeRange): Promise<DayFigures[]>;
  /** Each client's window as assumed, and as the nodes say whose stake is known. */
  calibration(range: TimeRange): Promise<CalibratedWindow[]>;
}

const DAY_MS = 24 * 3_600 * 1_000;
const LATEST_DATE_MS = Date.UTC(10_000, 0) - 1;
const DEFAULT_SLOTS_PER_EPOCH = 32;

/**
 * A fallback set-up is seen as nodes of one network whose custody counts pin the same stake: one validator client that tells all of them
 * of its validators. All but the first of such nodes are copies. Without a pinned stake nothing tells copies from neighbours.
 */
const NODES = `
  SELECT *, coalesce(validators_estimate, validators_low, 0) AS validators, row_number() OVER (
      PARTITION BY iif(custody_group_count BETWEEN 9 AND 127 AND custody_group_count <> 64 AND ip <> '',
        rtrim(ip, '0123456789abcdef') || '|' || custody_group_count, peer_id)
      ORDER BY validators_estimate DESC, peer_id
    ) > 1 AS is_copy
  FROM validator_tracker WHERE last_seen BETWEEN ? AND ?`;

const KEYS: Readonly<Record<Dimension, string>> = {
  country: 'country',
  city: `city || iif(country IS NULL, '', ', ' || country)`,
  asn: 'asn',
  asn_type: 'asn_type',
  client: 'client_version',
};

/** What is from later than this is not from now. */
const CLOCK_ERROR_MS = 3_600_000;

/** @param database a connection that nothing is written through */
export function networkFigures(
  database: SqliteDatabase,
  network: EstimatorNetwork | null,
  nowMs: () => number = Date.now,
): NetworkFigures {
  return {
    activeValidators: network?.activeValidators ?? null,

    async newestDay() {
      // One sentry with a wrong clock must not hide what all others see.
      const row = await database.get<{ newest: number | null }>(
        'SELECT coalesce(max(last_seen) FILTER (WHERE last_seen <= ?), max(last_seen)) AS newest FROM validator_tracker',
        nowMs() + CLOCK_ERROR_MS,
      );
      const toMs = row?.newest ?? 0;
      return { fromMs: Math.max(0, toMs - DAY_MS), toMs };
    },

    async totals({ fromMs, toMs }) {
      const sums = await database.get<Sums>(`SELECT ${SUM_COLUMNS} FROM (${NODES})`, fromMs, toMs);
      return figuresOf(sums ?? NO_SUMS);
    },

    methods: ({ fromMs, toMs }) =>
      database.all<MethodTotal>(
        `SELECT method, coalesce(sum(estimate), 0) AS validators, count(estimate) AS nodes
           FROM validator_estimates JOIN validator_tracker USING (peer_id)
           WHERE last_seen BETWEEN ? AND ? GROUP BY method ORDER BY method`,
        fromMs,
        toMs,
      ),

    async cells(by, { fromMs, toMs }, fewestNodes) {
      const rows = await database.all<Sums & { key: string | null; name: string | null }>(
        `SELECT ${KEYS[by]} AS key, ${by === 'asn' ? 'max(asn_organization)' : 'NULL'} AS name, ${SUM_COLUMNS}
           FROM (${NODES}) GROUP BY 1`,
        fromMs,
        toMs,
      );
      const grouped = Map.groupBy(rows, ({ key }) => (by === 'client' ? clientOf(key ?? '') : key));
      const groups = [...grouped].map(([key, group]): Group => {
        return { key, name: group[0]?.name ?? null, sums: group.reduce(addSums, NO_SUMS) };
      });
      return withoutSmall(groups, fewestNodes)
        .map(({ key, name, sums }): Cell => ({ key, name, ...figuresOf(sums) }))
        .sort((a, b) => b.validators - a.validators || b.nodes - a.nodes || (String(a.key) < String(b.key) ? -1 : 1));
    },

    async history({ fromMs, toMs }) {
      const rows = await database.all<Sums & { day: string }>(
        `SELECT day, ${SUM_COLUMNS} FROM (
           SELECT *, coalesce(validators_estimate, validators_low, 0) AS validators, 0 AS is_copy FROM validator_history
             WHERE day BETWEEN ? AND ?
         ) GROUP BY day ORDER BY day`,
        dateOf(fromMs),
        dateOf(toMs),
      );
      return rows.map(({ day, ...sums }) => ({ day, ...figuresOf(sums) }));
    },

    async calibration({ fromMs, toMs }) {
      const rows = await database.all<{ agent: string; custodyGroupCount: number; state: Buffer }>(
        `SELECT client_version AS agent, custody_group_count AS custodyGroupCount, state
           FROM validator_tracker JOIN estimator_states USING (peer_id)
           WHERE custody_group_count BETWEEN 9 AND 127 AND client_version IS NOT NULL AND last_seen BETWEEN ? AND ?`,
        fromMs,
        toMs,
      );
      const peers = rows.flatMap(({ agent, custodyGroupCount, state }) => {
        const client = clientOf(agent);
        const [seen] = candidates(decodeEvidence(state).statistics, client);
        return seen === undefined ? [] : [{ client, custodyGroupCount, statistics: seen.statistics }];
      });
      return calibrateWindows(peers, network?.slotsPerEpoch ?? DEFAULT_SLOTS_PER_EPOCH);
    },
  };
}

interface Group {
  readonly key: string | null;
  readonly name: string | null;
  readonly sums: Sums;
}

/** One small group by itself would follow from the total and all the others: the next smallest joins it. */
function withoutSmall(groups: readonly Group[], fewestNodes: number): Group[] {
  const bySize = [...groups].sort((a, b) => a.sums.nodes - b.sums.nodes);
  let sums = NO_SUMS;
  while (
    bySize[0] !== undefined &&
    (bySize[0].sums.nodes < fewestNodes || (sums.nodes > 0 && sums.nodes < fewestNodes))
  ) {
    sums = addSums(sums, bySize[0].sums);
    bySize.shift();
  }
  return sums.nodes < fewestNodes ? bySize : [...bySize, { key: 'other', name: null, sums }];
}

function dateOf(unixMs: number): string {
  return dayOf(Math.min(unixMs, LATEST_DATE_MS));
}
