import { EVENT_TARGETS } from './event-targets.ts';
import { GOSSIP_TARGETS } from './gossip-targets.ts';
import { RECORD_TARGETS } from './record-targets.ts';
import type { FuzzTarget } from './target.ts';
import { WIRE_TARGETS } from './wire-targets.ts';

/** Everything that reads bytes of strangers. */
export const FUZZ_TARGETS: readonly FuzzTarget[] = [
  ...RECORD_TARGETS,
  ...WIRE_TARGETS,
  ...GOSSIP_TARGETS,
  ...EVENT_TARGETS,
];
