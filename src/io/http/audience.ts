import type { Context } from 'hono';
import type { IsApiKey } from './api-keys.ts';

/** Whose eyes an answer is for. */
export type Audience = 'public' | 'keyed';

/** `null` for a wrong key, which never gets public data: whoever sends one believes to see everything. */
export async function audienceOf(context: Context, isApiKey: IsApiKey): Promise<Audience | null> {
  const key = context.req.header('X-API-Key');
  if (key === undefined) return 'public';
  return (await isApiKey(key)) ? 'keyed' : null;
}
