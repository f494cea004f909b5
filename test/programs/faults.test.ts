import { multiaddr } from '@multiformats/multiaddr';
import { config, Observable } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLogger } from '../../src/io/logging/logger.ts';
import { type Faults, libraryOf, listenForFaults } from '../../src/programs/faults.ts';

interface Line {
  readonly level: number;
  readonly library?: string;
  readonly count?: number;
  readonly where?: string;
  readonly err: { readonly message: string; readonly stack: string };
}

let lines: Line[];
let nowMs: number;
let faults: Faults;
let before: ((...args: never[]) => void)[];
beforeEach(() => {
  lines = [];
  nowMs = 0;
  // vitest would take what is thrown here for a failure of the test.
  before = process.listeners('unhandledRejection');
  process.removeAllListeners('unhandledRejection');
  const logger = createLogger({ level: 'warn', format: 'json', write: (line) => lines.push(JSON.parse(line) as Line) });
  faults = listenForFaults(logger, () => nowMs);
});
afterEach(() => {
  faults.release();
  for (const listener of before) process.on('unhandledRejection', listener as () => void);
});

/** An error with a stack as a module at this path would make it. */
function madeIn(...paths: string[]): Error {
  const error = new Error('odd');
  error.stack = ['Error: odd', ...paths.map((path) => `    at f (${path}:1:2)`), '    at node:internal/x:3:4'].join(
    '\n',
  );
  return error;
}

const YAMUX = '/app/node_modules/@chainsafe/libp2p-yamux/dist/src/muxer.js';

describe('an error that nobody has caught', () => {
  it('is fatal when it is ours: a rejection, and an error of an observable', async () => {
    Promise.reject(new Error('forgotten'));
    expect((await faults.first).message).toBe('forgotten');
    expect(lines).toMatchObject([{ level: 60, err: { message: 'forgotten' } }]);

    new Observable((subscriber) => subscriber.error(new Error('unheard'))).subscribe();
    await vi.waitFor(() => expect(lines).toHaveLength(2));
    expect(lines[1]).toMatchObject({ level: 60, err: { message: 'unheard' } });
  });

  it('says where in our code it came from', async () => {
    Promise.reject(
      madeIn('/app/node_modules/rxjs/x.js', 'file:///app/dist/io/tracker/view-store.js', '/app/src/cli.ts'),
    );
    await faults.first;
    expect(lines[0]?.where).toBe('dist/io/tracker/view-store.js:1');
  });

  it('ends nothing when a stranger has brought it about in a network library, is counted, and logged once a minute', async () => {
    const ended = vi.fn();
    void faults.first.then(ended);
    for (const atMs of [0, 1, 59_999, 60_000]) {
      nowMs = atMs;
      Promise.reject(madeIn(YAMUX, '/app/src/io/libp2p/link.ts'));
      await vi.waitFor(() => expect([...faults.strays.values()].at(0)).toBeGreaterThan(0));
      await new Promise(setImmediate);
    }
    expect(faults.strays).toEqual(new Map([['@chainsafe/libp2p-yamux', 4]]));
    expect(lines.map(({ level, count, library }) => [level, library, count])).toEqual([
      [40, '@chainsafe/libp2p-yamux', 1],
      [40, '@chainsafe/libp2p-yamux', 4],
    ]);
    expect(lines[0]?.err.stack).toContain(YAMUX);
    expect(ended).not.toHaveBeenCalled();
  });

  it('is left to others again after the release', () => {
    const { onUnhandledError } = config;
    expect(onUnhandledError).not.toBe(null);
    faults.release();
    expect(config.onUnhandledError).not.toBe(onUnhandledError);
    expect(process.listeners('unhandledRejection')).toEqual([]);
  });
});

describe('whose an error is', () => {
  it.each([
    [madeIn(YAMUX), '@chainsafe/libp2p-yamux'],
    [madeIn('file:///app/node_modules/libp2p/dist/src/connection.js'), 'libp2p'],
    [madeIn('/app/node_modules/it-byte-stream/dist/src/index.js', '/app/src/io/x.ts'), 'it-byte-stream'],
    [madeIn('/app/src/io/libp2p/link.ts', YAMUX), null],
    [madeIn('/app/node_modules/sqlite3/lib/sqlite3.js'), null],
    [madeIn('/app/node_modules/rxjs/src/internal/x.ts', YAMUX), null],
    [Object.assign(madeIn(), { code: 'ECONNRESET', syscall: 'read' }), 'socket ECONNRESET'],
    [Object.assign(madeIn(), { code: 'ENOSPC', syscall: 'write' }), null],
    [Object.assign(madeIn(), { code: 'SQLITE_CORRUPT' }), null],
    [Object.assign(madeIn(), { code: 'GenericFailure' }), '@chainsafe/libp2p-quic'],
    [new DOMException('late', 'TimeoutError'), null],
  ])('%#', (error, library) => {
    expect(libraryOf(error)).toBe(library);
  });

  it('is not for a stranger to say who words the message', () => {
    const ours = '\n    at f (/app/src/io/x.ts:1:2)\n    at f (/app/node_modules/sqlite3/lib/sqlite3.js:1:2)';
    const theirs = `\n    at f (${YAMUX}:1:2)`;
    const stray = new Error(`unknown protocol${ours}`);
    stray.stack = `Error: ${stray.message}${theirs}`;
    expect(libraryOf(stray)).toBe('@chainsafe/libp2p-yamux');
    const mistake = new Error(`unknown protocol${theirs}`);
    mistake.stack = `Error: ${mistake.message}${ours}`;
    expect(libraryOf(mistake)).toBe(null);
  });

  it('a signal that Node has aborted: no line of ours is in the stack', async () => {
    const signal = AbortSignal.timeout(1);
    await vi.waitFor(() => expect(signal.aborted).toBe(true));
    expect(libraryOf(signal.reason as Error)).toBe('abort signal');
  });

  it('an error that a library really makes', () => {
    let thrown: unknown;
    try {
      multiaddr('/ip4/nowhere');
    } catch (error) {
      thrown = error;
    }
    expect(libraryOf(thrown as Error)).toMatch(/^@(multiformats|chainsafe)\//);
  });
});
