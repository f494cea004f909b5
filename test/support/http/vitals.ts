import type { Vitals } from '../../../src/io/http/health.ts';

/** Of a program that has nothing to check and counts nothing. */
export const NO_VITALS: Vitals = { checks: () => [], metrics: () => [] };
