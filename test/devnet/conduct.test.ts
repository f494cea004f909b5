import { map, NEVER, type Observable, of, throwError, timer, VirtualTimeScheduler } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { CLIENTS, type ClientName } from '../../src/devnet/clients.ts';
import { attend } from '../../src/devnet/conduct.ts';

interface Peer {
  readonly greetsAfterSeconds?: number;
  readonly pingsAfterSeconds?: number;
  readonly answers: boolean;
  readonly watchedSeconds?: number;
}

/** What a client does with a peer after it has dialled, each with the second in which it happens. */
function conductOf(client: ClientName, peer: Peer): string[] {
  const { greetsAfterSeconds, pingsAfterSeconds, answers, watchedSeconds = 45 } = peer;
  const scheduler = new VirtualTimeScheduler(undefined, watchedSeconds * 1000);
  const log: string[] = [];
  const note = (what: string) => log.push(`${what} ${scheduler.now() / 1000}`);
  const ask = (what: string) => (): Observable<unknown> => {
    note(what);
    return answers ? of(undefined) : throwError(() => new Error('not spoken'));
  };
  const after = (seconds: number | undefined): Observable<void> =>
    seconds === undefined ? NEVER : timer(seconds * 1000, scheduler).pipe(map(() => undefined));
  const greeted = after(greetsAfterSeconds);
  const pinged = after(pingsAfterSeconds);
  const dialler = { greeted, pinged, askStatus: ask('status'), askMetaData: ask('metadata'), ping: ask('ping') };
  attend(dialler, CLIENTS[client].conduct, scheduler).subscribe({
    next: ({ reason }) => note(`goodbye ${reason} at`),
    complete: () => note('end'),
  });
  scheduler.flush();
  return log;
}

describe('towards a peer that greets after a second and answers', () => {
  it.each([
    ['Lighthouse', ['metadata 0', 'ping 20', 'ping 40']],
    ['Grandine', ['metadata 0', 'ping 20', 'ping 40']],
    ['Prysm', ['ping 1', 'metadata 1', 'ping 20', 'ping 40']],
    ['Teku', ['metadata 1', 'ping 10', 'ping 20', 'ping 30', 'ping 40']],
    ['Nimbus', ['status 0', 'metadata 1', 'ping 20', 'ping 40']],
    ['Lodestar', ['ping 20', 'metadata 20', 'ping 40']],
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
    ['Lodestar', ['status 15', 'ping 20', 'metadata 20', 'ping 40']],
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
    ['Prysm', ['ping 1', 'metadata 1', 'ping 20', 'ping 40', 'goodbye 3 at 40', 'end 40']],
    ['Teku', ['metadata 1', 'ping 10', 'ping 20', 'ping 30', 'goodbye 3 at 30', 'end 30']],
  ] as const)('%s loses patience as it is known to', (client, expected) => {
    expect(conductOf(client, { greetsAfterSeconds: 1, answers: false })).toEqual(expected);
  });
});

describe('Lodestar', () => {
  it('asks for MetaData right after a ping', () => {
    const log = conductOf('Lodestar', { greetsAfterSeconds: 1, pingsAfterSeconds: 3, answers: true });
    expect(log).toEqual(['metadata 3', 'ping 20', 'ping 40']);
  });

  it('says Goodbye 250 around 40 s to a peer that serves nothing, as was observed', () => {
    expect(conductOf('Lodestar', { answers: false })).toEqual([
      'status 15',
      'ping 20',
      'ping 40',
      'goodbye 250 at 40',
      'end 40',
    ]);
  });
});

describe('Lighthouse', () => {
  it('asks for Status every 300 s', () => {
    const log = conductOf('Lighthouse', { greetsAfterSeconds: 1, answers: true, watchedSeconds: 700 });
    expect(log.filter((line) => line.startsWith('status'))).toEqual(['status 300', 'status 600']);
  });
});
