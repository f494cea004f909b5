import type { Hono } from 'hono';
import type { Attribution } from '../../streams/ports/geo-locator.ts';

/** Where locations come from, whom to name where they are shown, and what is wrong with the sources. */

export interface GeolocationStatus {
  readonly sources: readonly string[];
  readonly attributions: readonly Attribution[];
  /** What fails at the moment; empty when all is well. */
  problems(): readonly string[];
}

export function addGeolocation(app: Hono, { sources, attributions, problems }: GeolocationStatus): void {
  app.get('/api/v1/geolocation', (context) => {
    context.header('Cache-Control', 'no-store');
    return context.json({ sources, attributions, problems: problems() });
  });
}
