import { filter, type MonoTypeOperatorFunction, type SchedulerLike } from 'rxjs';
import type { ConnectedVisit, VisitOutcome } from '../visit.ts';
import type { Send } from './peers.ts';
import type { VisitLedger } from './visit-ledger.ts';

export interface ConnectionsOptions {
  readonly ledger: Pick<VisitLedger, 'connected'>;
  readonly send: Send;
  readonly scheduler: Pick<SchedulerLike, 'now'>;
}

/**
 * Notes the connections that dialling brings and tells the peers. One that comes after its visit was given up belongs to
 * nobody, and is ended.
 */
export function noteConnections(options: ConnectionsOptions): MonoTypeOperatorFunction<VisitOutcome<ConnectedVisit>> {
  const { ledger, send, scheduler } = options;
  return filter((outcome) => {
    if (!outcome.ok) return true;
    const { value } = outcome;
    if (!ledger.connected(value, value.link)) {
      value.link.leave('given-up');
      return false;
    }
    send(value.peerId, { type: 'dialed', nowMs: scheduler.now(), direction: value.link.direction });
    return true;
  });
}
