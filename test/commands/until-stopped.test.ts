import { config, NEVER } from 'rxjs';
import { expect, it } from 'vitest';
import { untilStopped } from '../../src/commands/until-stopped.ts';

const OPTIONS = { logLevel: 'silent', logFormat: 'json', forMs: 10 } as const;

it('ends with the mistake that nobody has caught, though it comes while everything is being closed', async () => {
  const running = untilStopped(OPTIONS, async ({ stack }) => {
    // As RxJS tells of an error that nobody listens to.
    stack.defer(async () => config.onUnhandledError?.(new Error('a mistake in the end')));
    return { failed$: NEVER, finish: async () => null };
  });
  await expect(running).rejects.toThrow('a mistake in the end');
});

it('ends with 0 otherwise', async () => {
  expect(await untilStopped(OPTIONS, async () => ({ failed$: NEVER, finish: async () => null }))).toBe(0);
});
