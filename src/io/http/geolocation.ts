import type { Hono } from 'hono';
import type { Geolocation } from '../../programs/consumer/geolocation.ts';

/** Where locations come from, whom to name where they are shown, and what is wrong with the sources. */

export type GeolocationStatus = Pick<Geolocation, 'sources' | 'attributions' | 'problems'>;

export function addGeolocation(app: Hono, { sources, attributions, problems }: GeolocationStatus): void {
  app.get('/api/v1/geolocation', (context) => {
    context.header('Cache-Control', 'no-store');
    return context.json({ sources, attributions, problems: problems() });
  });
}
