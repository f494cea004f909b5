import type { Observable } from 'rxjs';
import { DEFAULT_HTTP_PORT } from '../commands/option-table.ts';
import type { Options } from '../commands/options.ts';
import { startHttp } from '../io/http/server.ts';
import type { Logger } from '../io/logging/logger.ts';
import type { Check } from './health.ts';
import { type KeptPart, keepRunning } from './keep-running.ts';

/** The HTTP server of the program, which is started again when it fails. */
export interface HttpPart {
  readonly url: string;
  /** Errors when the server has failed for good. */
  readonly failed$: Observable<never>;
  readonly check: Check;
  readonly kept: KeptPart;
}

/**
 * Starts to serve; stops with the stack.
 * @param fetch answers each request, so that what answers may change
 * @throws HttpListenError when the address cannot be had
 */
export async function startHttpPart(
  { httpHost: host, httpPort = DEFAULT_HTTP_PORT }: Pick<Options, 'httpHost' | 'httpPort'>,
  fetch: (request: Request) => Response | Promise<Response>,
  stack: AsyncDisposableStack,
  logger: Logger,
): Promise<HttpPart> {
  /** Where it was before is where people look for it again. */
  let port = httpPort;
  let url = '';
  const start = async () => {
    const server = await startHttp({ host, port, fetch });
    ({ port, url } = server);
    return { failed$: server.failed$, stop: () => server.close() };
  };
  const server = await keepRunning('the HTTP server', start, { logger });
  stack.defer(() => server.stop());
  return { url, failed$: server.failed$, check: async () => server.problem(), kept: server };
}
