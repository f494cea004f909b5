import type { Connection, Stream } from '@libp2p/interface';
import { Subject } from 'rxjs';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { type LeaveOptions, leave } from '../../../../src/io/network/libp2p/leave.ts';
import { type VirtualTime, virtualTime } from '../../../support/virtual-time.ts';

/** A stream of the peer's, as libp2p shows it. */
const theirs = (protocol?: string): Partial<Stream> => ({
  direction: 'inbound',
  status: 'open',
  ...(protocol === undefined ? {} : { protocol }),
});
const STATUS = '/eth2/beacon_chain/req/status/2/ssz_snappy';

let time: VirtualTime;
let closed: Subject<unknown>;
let streams: Partial<Stream>[];
let endedMs: number | null;
let said: string[];

beforeEach(() => {
  time = virtualTime();
  closed = new Subject();
  streams = [];
  endedMs = null;
  said = [];
});

const never = () => new Promise<never>(() => undefined);

function ourStream(methods: Partial<Stream> = {}) {
  return {
    sink: async (source: Iterable<Uint8Array>) => {
      for (const bytes of source) said.push(Buffer.from(bytes).toString('hex'));
    },
    close: async () => undefined,
    ...methods,
  } as unknown as Stream;
}

/** Leaves, and tells by milliseconds of virtual time when that was done. */
function leaving(options: Partial<LeaveOptions> = {}, newStream: () => Promise<Stream> = async () => ourStream()) {
  const connection = {
    status: 'open',
    get streams() {
      return streams;
    },
    newStream: vi.fn(newStream),
    abort: () => {
      endedMs ??= time.scheduler.now();
    },
    close: () => expect.unreachable('a connection that is closed says FIN on each stream'),
  };
  const done = leave(connection as unknown as Connection, {
    goodbye: () => null,
    closed$: closed,
    scheduler: time.scheduler,
    ...options,
  });
  return { connection, done };
}

describe('leaving a connection', () => {
  it('waits for a moment in which a peer that has just come asks', async () => {
    leaving();
    await time.advance(200);
    expect(endedMs).toBeNull();
    await time.advance(300);
    expect(endedMs).toBeLessThanOrEqual(300);
  });

  it.each([
    ['is being negotiated', undefined],
    ['is not answered', STATUS],
  ])('waits for a stream that %s', async (_, protocol) => {
    streams.push(theirs(protocol));
    leaving();
    await time.advance(1_000);
    expect(endedMs).toBeNull();
    streams.pop();
    await time.advance(1_000);
    expect(endedMs).toBeGreaterThan(1_200);
    expect(endedMs).toBeLessThan(1_400);
  });

  it('waits for one question after another', async () => {
    leaving();
    for (let round = 0; round < 4; round++) {
      await time.advance(150);
      streams.push(theirs(STATUS));
      await time.advance(100);
      expect(endedMs).toBeNull();
      streams.pop();
    }
    await time.advance(400);
    expect(endedMs).toBeGreaterThan(1_150);
  });

  it('does not wait for ever, nor for streams that last, nor for its own', async () => {
    streams.push(theirs('/meshsub/1.2.0'), { ...theirs(STATUS), direction: 'outbound' });
    streams.push({ ...theirs(STATUS), status: 'closed' });
    leaving();
    await time.advance(400);
    expect(endedMs).toBeLessThanOrEqual(300);
    endedMs = null;
    streams.push(theirs());
    leaving();
    await time.advance(4_900);
    expect(endedMs).toBeNull();
    await time.advance(200);
    expect(endedMs).not.toBeNull();
  });

  it('is done when the peer closes', async () => {
    streams.push(theirs());
    const { done } = leaving({ goodbye: () => expect.unreachable('there is nobody to tell') });
    await time.advance(100);
    closed.next('closed');
    await done;
    expect(endedMs).toBe(100);
  });

  it('is done within its limit, whatever the peer does', async () => {
    streams.push(theirs());
    const { done } = leaving({ goodbye: () => 1n, patienceMs: 500, limitMs: 1_000 }, never);
    await time.advance(900);
    expect(endedMs).toBeNull();
    await time.advance(200);
    await done;
    expect(endedMs).toBe(1_000);
  });

  it('stays for somebody who came meanwhile, and says nothing', async () => {
    const { connection, done } = leaving({ staysFor: () => true, goodbye: () => expect.unreachable() });
    await time.advance(400);
    await done;
    expect(endedMs).toBeNull();
    expect(connection.newStream).not.toHaveBeenCalled();
  });
});

describe('a Goodbye', () => {
  it('is said when all is answered, and the peer has two seconds to close', async () => {
    streams.push(theirs(STATUS));
    leaving({ goodbye: () => 129n });
    await time.advance(500);
    expect(said).toEqual([]);
    streams.pop();
    await time.advance(500);
    // The length, the snappy stream identifier, and at the end 129 as a little-endian uint64.
    expect(said).toEqual([expect.stringMatching(/^08ff060000734e61507059.*8100000000000000$/)]);
    expect(endedMs).toBeNull();
    await time.advance(2_500);
    expect(endedMs).toBeGreaterThan(2_700);
  });

  it('that the peer has read ends the wait when it closes', async () => {
    const { done } = leaving({ goodbye: () => 1n });
    await time.advance(500);
    expect(said).toHaveLength(1);
    closed.next('closed');
    await done;
    expect(endedMs).toBe(500);
  });

  it.each<[string, () => Promise<Stream>]>([
    ['opened', never],
    ['written', async () => ourStream({ sink: never })],
    ['closed', async () => ourStream({ close: never })],
  ])('that is never %s keeps nobody for longer than three seconds', async (_, newStream) => {
    const problems: unknown[] = [];
    leaving({ goodbye: () => 1n, onProblem: (error) => problems.push(error) }, newStream);
    await time.advance(3_500);
    expect(endedMs).toBeGreaterThan(3_200);
    expect(problems).toMatchObject([{ name: 'TimeoutError' }]);
  });

  it('that the peer does not speak is no reason to wait', async () => {
    const problems: unknown[] = [];
    leaving({ goodbye: () => 1n, onProblem: (error) => problems.push(error) }, () =>
      Promise.reject(new Error('unsupported')),
    );
    await time.advance(400);
    expect(endedMs).toBeLessThanOrEqual(300);
    expect(problems).toHaveLength(1);
  });

  it('is said to nobody whose connection has ended', async () => {
    const { connection } = leaving({ goodbye: () => 1n });
    connection.status = 'closed';
    await time.advance(3_000);
    expect(connection.newStream).not.toHaveBeenCalled();
    expect(endedMs).not.toBeNull();
  });
});
