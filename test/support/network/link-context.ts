import type { Identify } from '@libp2p/identify';
import { asyncScheduler, NEVER } from 'rxjs';
import { createLogger } from '../../../src/io/logging/logger.ts';
import { createClaims } from '../../../src/io/network/libp2p/claims.ts';
import { knownClients } from '../../../src/io/network/libp2p/known-clients.ts';
import type { LinkContext } from '../../../src/io/network/libp2p/link.ts';
import { freshLedger } from './test-host.ts';

/** What a link needs around it: nobody identifies, nothing is heard, and nothing has been asked. */
export function linkContext(changes: Partial<LinkContext> = {}): LinkContext {
  return {
    identify: {} as unknown as Identify,
    book: { of: () => NEVER, standing: () => NEVER },
    closed$: NEVER,
    told$: NEVER,
    ledger: freshLedger(),
    clients: knownClients(() => null),
    claims: createClaims(),
    logger: createLogger({ level: 'silent', format: 'json' }),
    scheduler: asyncScheduler,
    ...changes,
  };
}
