import { beforeEach, describe, expect, it } from 'vitest';
import { EventLogConfigError } from '../../../../src/io/event-log/nats/errors.ts';
import { type NatsStream, natsStream } from '../../../../src/io/event-log/nats/stream.ts';
import { type VirtualTime, virtualTime } from '../../../support/virtual-time.ts';
import { type FakeManager, fakeManager } from './support/fake-manager.ts';
import { loggerWithLines } from './support/lines.ts';

let time: VirtualTime;
let fake: FakeManager;
let lines: string[];
let stream: NatsStream;
let isBroken: boolean;

function setUp(replicas: number): void {
  const { logger, lines: told } = loggerWithLines();
  lines = told;
  stream = natsStream(fake.jsm, {
    replicas,
    logger,
    async onAnother() {
      fake.changes.push('another');
      if (isBroken) throw new Error('broken');
    },
    scheduler: time.scheduler,
  });
}

beforeEach(() => {
  time = virtualTime();
  fake = fakeManager();
  isBroken = false;
  setUp(1);
});

describe('the stream', () => {
  it('is made when it is missing, at once and once', async () => {
    expect(stream.id).toBe('');
    await stream.ensure();
    await stream.ensure();
    expect(fake.changes).toEqual(['add the stream']);
    expect(stream.id).toBe('nats:EVENTS:1');
  });

  it('is taken as it is by the next', async () => {
    await stream.ensure();
    setUp(1);
    await stream.ensure();
    expect(fake.changes).toEqual(['add the stream']);
    expect(lines).toEqual([]);
  });

  it('is made anew once the files of the lost one are gone, and is another one then', async () => {
    await stream.ensure();
    fake.loseStream();
    const ensured = stream.ensure();
    await time.advance(499);
    expect(fake.changes).toEqual(['add the stream']);
    await time.advance(1);
    await ensured;
    expect(fake.changes).toEqual(['add the stream', 'add the stream', 'another']);
    expect(stream.id).toBe('nats:EVENTS:2');
    expect(lines).toContain('the NATS stream is another one now');
  });

  it('is not another one before all that belongs to it has been made', async () => {
    await stream.ensure();
    fake.loseStream();
    isBroken = true;
    const failed = expect(stream.ensure()).rejects.toThrow('broken');
    await time.advance(500);
    await failed;
    expect(stream.id).toBe('nats:EVENTS:1');
    isBroken = false;
    await stream.ensure();
    await stream.ensure();
    expect(fake.changes.filter((change) => change === 'another')).toHaveLength(2);
    expect(stream.id).toBe('nats:EVENTS:2');
  });

  it('is told of once when it is on fewer servers than was wanted', async () => {
    await stream.ensure();
    setUp(3);
    await stream.ensure();
    await stream.ensure();
    expect(lines).toEqual([expect.stringContaining('on 1 servers, not 3; `nats stream edit EVENTS --replicas=3`')]);
  });

  it('of another kind is refused', async () => {
    await fake.jsm.streams.add({ name: 'EVENTS', subjects: ['events.peer_discovered'] });
    await expect(stream.ensure()).rejects.toBeInstanceOf(EventLogConfigError);
    expect(stream.id).toBe('');
  });
});
