/** Which position of the spool has been read once the stream is empty up to which sequence. Both ascend. */
export interface ReadMarks {
  /** Everything up to `position` is in the stream with a sequence of at most `sequence`. */
  add(position: number, sequence: number): void;
  /** Everything before `firstSequence` has been read: the position up to which that is everything, 0 when nothing new. */
  readBefore(firstSequence: number): number;
  /** Marks that are not read. */
  readonly waiting: number;
}

interface Mark {
  readonly position: number;
  readonly sequence: number;
}

/** With more than this every other one is dropped: the remaining ones say the same, later. */
const MAX_MARKS = 10_000;

export function createReadMarks(maxMarks = MAX_MARKS): ReadMarks {
  let marks: Mark[] = [];
  return {
    add(position, sequence) {
      marks.push({ position, sequence: Math.max(sequence, marks.at(-1)?.sequence ?? 0) });
      if (marks.length <= maxMarks) return;
      const last = marks.length - 1;
      marks = marks.filter((_, index) => (last - index) % 2 === 0);
    },
    readBefore(firstSequence) {
      const read = marks.findLastIndex(({ sequence }) => sequence < firstSequence);
      const position = marks[read]?.position ?? 0;
      marks = marks.slice(read + 1);
      return position;
    },
    get waiting() {
      return marks.length;
    },
  };
}
