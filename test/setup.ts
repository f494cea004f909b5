import { vi } from 'vitest';

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
