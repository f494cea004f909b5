import { vi } from 'vitest';

/**
 * Waiting ends as soon as the condition holds. How long it may take is a matter of the machine: vitest's second is too
 * short for one whose cores are shared, and says nothing of what is tested.
 */
const PATIENCE_MS = 10_000;

const waitFor = vi.waitFor;
vi.waitFor = (callback, options = {}) =>
  waitFor(callback, typeof options === 'number' ? options : { timeout: PATIENCE_MS, ...options });
