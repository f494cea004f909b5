import { fileURLToPath } from 'node:url';
import { vi } from 'vitest';

/**
 * What probes remember is that of the tests, and not of whoever runs them; and of each worker by itself, so that no two make
 * their identity at once.
 */
const { VITEST_POOL_ID = '0' } = process.env;
process.env['XDG_STATE_HOME'] = fileURLToPath(
  new URL(`../node_modules/.cache/test-state/${VITEST_POOL_ID}`, import.meta.url),
);

/**
 * Waiting ends as soon as the condition holds. How long it may take is a matter of the machine: vitest's second is too
 * short for one whose cores are shared, and says nothing of what is tested.
 */
const PATIENCE_MS = 10_000;

/** This is loaded before every file, also before those that share a process. */
const PATIENT = Symbol.for('valtrack.test.patient');

const { waitFor } = vi;
if (!(PATIENT in waitFor)) {
  const patiently: typeof waitFor = (callback, options = {}) =>
    waitFor(callback, typeof options === 'number' ? options : { timeout: PATIENCE_MS, ...options });
  vi.waitFor = Object.assign(patiently, { [PATIENT]: true });
}
