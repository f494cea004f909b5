import type { Coverage } from './crawl/coverage.ts';
import type { Observation, VisitFailure } from './visit.ts';

/** What the sentry tells of its work. */
export type Happening =
  | { readonly type: 'epoch'; readonly epoch: number }
  | { readonly type: 'observed'; readonly observation: Observation }
  | { readonly type: 'failed'; readonly failure: VisitFailure }
  | { readonly type: 'round'; readonly coverage: Coverage };
