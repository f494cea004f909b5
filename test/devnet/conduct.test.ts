import { map, NEVER, type Observable, of, throwError, timer, VirtualTimeScheduler } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { CLIENTS, type ClientName } from '../../src/devnet/clients.ts';
import { attend } from '../../src/devnet/conduct.ts';

interface Peer {
  readonly greetsAfterSeconds?: number;
  readonly answers: boolean;
}

/** What a client does with a peer in the 45 s after it has dialled, each with the second in which it happens. */
function conductOf(client: ClientName, { greetsAfterSeconds, answers }: Peer): string[] {
  const scheduler = new VirtualTimeScheduler(undefined, 45_000);
  const log: string[] = [];
  const note = (what: string) => log.push(`${what} ${scheduler.now() / 1000}`);
  const ask = (what: string) => (): Observable<unknown> => {
    note(what);
    return answers ? of(undefined) : throwError(() => new Error('not spoken'));
  };
  const greeted =
    greetsAfterSeconds === undefined ? NEVER : timer(greetsAfterSeconds * 1000, scheduler).pipe(map(() => undefined));
  const dialler = { greeted, askStatus: ask('status'), askMetaData: ask('metadata'), ping: ask('ping') };
  attend(dialler, CLIENTS[client].conduct, scheduler).subscribe({
    next: (reason) => note(`goodbye ${reason} at`),
    complete: () => note('end'),
  });
  scheduler.flush();
  return log;
}

describe('towards a peer that greets after a second and answers', () => {
  it.each([
    ['Lighthouse', ['metadata 0', 'ping 20', 'ping 40']],
    ['Grandine', ['metadata 0', 'ping 20', 'ping 40']],
    ['Prysm', ['metadata 1', 'ping 20', 'ping 40']],
    ['Teku', ['metadata 1', 'ping 10', 'ping 20', 'ping 30', 'ping 40']],
    ['Nimbus', ['status 0', 'metadata 1', 'ping 20', 'ping 40']],
    ['Lodestar', ['metadata 1', 'ping 20', 'ping 40']],
  ] as const)('%s stays', (client, expected) => {
    expect(conductOf(client, { greetsAfterSeconds: 1, answers: true })).toEqual(expected);
  });
});

describe('towards a peer that never greets but answers', () => {
  it.each([
    ['Lighthouse', ['metadata 0', 'ping 20', 'ping 40']],
    ['Prysm', ['goodbye 3 at 10', 'end 10']],
    ['Teku', ['goodbye 3 at 10', 'end 10']],
    ['Nimbus', ['status 0', 'ping 20', 'ping 40']],
    ['Lodestar', ['status 15', 'ping 20', 'ping 40']],
  ] as const)('%s does as it is known to', (client, expected) => {
    const log = conductOf(client, { answers: true });
    // Teku's ping and its deadline fall on the same instant.
    expect(log.filter((line) => line !== 'ping 10')).toEqual(expected);
  });
});

describe('towards a peer that greets but answers nothing', () => {
  it.each([
    ['Lighthouse', ['metadata 0', 'goodbye 3 at 0', 'end 0']],
    ['Nimbus', ['status 0', 'goodbye 3 at 0', 'end 0']],
    ['Prysm', ['metadata 1', 'ping 20', 'ping 40']],
    ['Teku', ['metadata 1', 'ping 10', 'ping 20', 'ping 30', 'goodbye 3 at 30', 'end 30']],
  ] as const)('%s loses patience as it is known to', (client, expected) => {
    expect(conductOf(client, { greetsAfterSeconds: 1, answers: false })).toEqual(expected);
  });
});
