import type { SqliteDatabase } from '../../src/io/storage/sqlite/sqlite.ts';

/** A fault at one of the calls that change the disk. */
export interface FaultPlan {
  /** Which call, from 1; a rehearsal that counts has none. */
  readonly call: number;
  /** Before its effect or after it. */
  readonly when: 'before' | 'after';
  /** `once`: an I/O error that passes. `for good`: nothing works any more, as if the process were gone. */
  readonly lasts: 'once' | 'for good';
}

export const NO_FAULT: FaultPlan = { call: Number.POSITIVE_INFINITY, when: 'before', lasts: 'once' };

export interface DiskFaults {
  /** How many calls there were. */
  readonly calls: number;
  readonly hasStruck: boolean;
  /** Resolves when no call is under way. */
  idle(): Promise<void>;
  guard<Args extends unknown[], Result>(work: (...args: Args) => Promise<Result>): (...args: Args) => Promise<Result>;
  /** The same for every function of an object. */
  guardAll<Steps extends object>(steps: Steps): Steps;
  /** Statements that write, and commits, are calls; once nothing works, reading does not either. */
  database(database: SqliteDatabase): SqliteDatabase;
}

export function diskFaults({ call, when, lasts }: FaultPlan): DiskFaults {
  let calls = 0;
  let hasStruck = false;
  const strike = (): never => {
    hasStruck = true;
    throw new Error('injected fault');
  };
  const underWay = new Set<Promise<unknown>>();
  const isOver = () => hasStruck && lasts === 'for good';

  const guard: DiskFaults['guard'] =
    (work) =>
    async (...args) => {
      if (isOver()) strike();
      const own = ++calls;
      if (own === call && when === 'before') strike();
      const working = work(...args);
      underWay.add(working);
      const result = await working.finally(() => underWay.delete(working));
      if (isOver() || (own === call && when === 'after')) strike();
      return result;
    };
  const readable: DiskFaults['guard'] =
    (work) =>
    async (...args) => {
      if (isOver()) strike();
      return work(...args);
    };

  return {
    get calls() {
      return calls;
    },
    get hasStruck() {
      return hasStruck;
    },
    idle: async () => {
      while (underWay.size > 0) await Promise.allSettled(underWay);
    },
    guard,
    guardAll: (steps) =>
      Object.fromEntries(
        Object.entries(steps).map(([name, work]) => [name, guard(work as () => Promise<unknown>)]),
      ) as typeof steps,
    database: (database) => ({
      ...database,
      run: guard(database.run),
      exec: guard(database.exec),
      transaction: guard(database.transaction) as SqliteDatabase['transaction'],
      get: readable(database.get) as SqliteDatabase['get'],
      all: readable(database.all) as SqliteDatabase['all'],
    }),
  };
}

/** Every fault of a kind for work that makes so many calls. */
export function everyFault(calls: number, lasts: readonly FaultPlan['lasts'][]): FaultPlan[] {
  return Array.from({ length: calls }, (_, index) => index + 1).flatMap((call) =>
    lasts.flatMap((kind) => (['before', 'after'] as const).map((when) => ({ call, when, lasts: kind }))),
  );
}
