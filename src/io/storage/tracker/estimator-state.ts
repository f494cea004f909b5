import type { PeerStatistics } from '../../../consensus/estimators/peer-statistics.ts';
import type { HazardBin, SubnetStatistics } from '../../../consensus/estimators/subnet-statistics.ts';
import { NO_STATISTICS } from '../../../consensus/estimators/subnet-statistics.ts';
import type { EstimatorEvidence } from '../../../consensus/peer-view.ts';

/** The column `state` of `estimator_states`: little-endian, lists with their length before them, sums in single precision. */

const FORMAT = 1;
const LARGEST_STATE = 16 * 1024;

/** Lossless for every evidence that observations can lead to. */
export function encodeEvidence({ legacy, custodyObservations, statistics }: EstimatorEvidence): Buffer {
  const { coverage, known, full, unknown } = statistics;
  const write = writer();
  write.byte(FORMAT);
  write.list(legacy.seen, ([subnets, observations]) => {
    write.byte(subnets);
    write.count(observations);
  });
  write.count(custodyObservations);
  write.double(coverage.partialEpoch);
  write.double(coverage.declaredEpoch);
  write.list(coverage.fullEpochs, write.double);
  write.list([known, full, ...unknown], (lot) => writeStatistics(write, lot));
  return write.bytes();
}

/** @throws Error when the bytes are not what {@link encodeEvidence} writes */
export function decodeEvidence(state: Buffer): EstimatorEvidence {
  const read = reader(state);
  const format = read.byte();
  if (format !== FORMAT) throw new Error(`estimator state of format ${format}, not ${FORMAT}`);
  const seen = read.list(() => [read.byte(), read.count()] as const);
  const custodyObservations = read.count();
  const coverage = { partialEpoch: read.double(), declaredEpoch: read.double(), fullEpochs: read.list(read.double) };
  const [known = NO_STATISTICS, full = NO_STATISTICS, ...unknown] = read.list(() => readStatistics(read));
  return {
    legacy: { seen },
    custodyObservations,
    statistics: { coverage, known, full, unknown } satisfies PeerStatistics,
  };
}

function writeStatistics(write: Writer, statistics: SubnetStatistics): void {
  const { observations, updatedMs, firstMs, lastMs, weight, weightSquared, overlap, lastVisible, bins } = statistics;
  write.count(observations);
  if (observations === 0 || lastVisible === null) return;
  for (const value of [updatedMs, firstMs, lastMs, lastVisible.first, lastVisible.last]) write.double(value);
  for (const value of [weight, weightSquared, overlap]) write.single(value);
  write.list(bins, ({ index, subnets, lit, hazard }) => {
    write.short(index);
    for (const value of [subnets, lit, hazard]) write.single(value);
  });
}

function readStatistics(read: Reader): SubnetStatistics {
  const observations = read.count();
  if (observations === 0) return NO_STATISTICS;
  const [updatedMs, firstMs, lastMs] = [read.double(), read.double(), read.double()];
  const lastVisible = { first: read.double(), last: read.double() };
  const [weight, weightSquared, overlap] = [read.single(), read.single(), read.single()];
  const bins = read.list(
    (): HazardBin => ({ index: read.short(), subnets: read.single(), lit: read.single(), hazard: read.single() }),
  );
  return { updatedMs, observations, firstMs, lastMs, weight, weightSquared, overlap, lastVisible, bins };
}

type Writer = ReturnType<typeof writer>;
type Reader = ReturnType<typeof reader>;

/** Written again and again, and copied out: states are small and many. */
const scratch = Buffer.alloc(LARGEST_STATE);

function writer() {
  let at = 0;
  const advanced = (length: number) => {
    at += length;
    return at - length;
  };
  const write = {
    byte: (value: number) => scratch.writeUInt8(value, advanced(1)),
    short: (value: number) => scratch.writeInt16LE(value, advanced(2)),
    count: (value: number) => scratch.writeUInt32LE(value, advanced(4)),
    single: (value: number) => scratch.writeFloatLE(value, advanced(4)),
    double: (value: number) => scratch.writeDoubleLE(value, advanced(8)),
    list<T>(items: readonly T[], item: (value: T) => void) {
      write.byte(items.length);
      for (const value of items) item(value);
    },
    bytes: () => Buffer.from(scratch.subarray(0, at)),
  };
  return write;
}

function reader(bytes: Buffer) {
  let at = 0;
  const advanced = (length: number) => {
    at += length;
    return at - length;
  };
  const read = {
    byte: () => bytes.readUInt8(advanced(1)),
    short: () => bytes.readInt16LE(advanced(2)),
    count: () => bytes.readUInt32LE(advanced(4)),
    single: () => bytes.readFloatLE(advanced(4)),
    double: () => bytes.readDoubleLE(advanced(8)),
    list<T>(item: () => T): T[] {
      return Array.from({ length: read.byte() }, item);
    },
  };
  return read;
}
