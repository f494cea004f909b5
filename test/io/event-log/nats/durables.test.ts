import { AckPolicy, DeliverPolicy, nanos } from 'nats';
import { beforeEach, describe, expect, it } from 'vitest';
import { markOf } from '../../../../src/io/event-log/nats/durable-note.ts';
import { ackWaitMsOf, isKeeper, type NatsDurables, natsDurables } from '../../../../src/io/event-log/nats/durables.ts';
import { EventLogConfigError } from '../../../../src/io/event-log/nats/errors.ts';
import { type FakeManager, fakeManager } from './support/fake-manager.ts';
import { loggerWithLines } from './support/lines.ts';

const READING = { maxAckPending: 20, saysApplied: true };

let fake: FakeManager;
let durables: NatsDurables;

beforeEach(() => {
  fake = fakeManager();
  durables = natsDurables(fake.jsm, { ackWaitMs: 5_000, logger: loggerWithLines().logger });
});

const markNow = () => markOf({ description: '', ...fake.durables.get('a') } as never);

describe('a durable', () => {
  it('is made when it is missing, for all that the stream has', async () => {
    await durables.ensure('a');
    expect(fake.durables.get('a')).toMatchObject({
      durable_name: 'a',
      ack_policy: AckPolicy.Explicit,
      deliver_policy: DeliverPolicy.All,
      ack_wait: 5_000_000_000,
      max_ack_pending: 1_000,
    });
  });

  it('is left as it is by whoever only needs it to be there', async () => {
    await durables.ensure('a', READING);
    await durables.ensure('a');
    expect(fake.changes).toEqual(['add a']);
    expect(fake.durables.get('a')?.max_ack_pending).toBe(20);
  });

  it('gets the settings of who reads with it, when it has others, and keeps its mark', async () => {
    await durables.ensure('a');
    const mark = markNow();
    await durables.ensure('a', READING);
    await durables.ensure('a', READING);
    expect(fake.changes).toEqual(['add a', 'update a']);
    expect(fake.durables.get('a')?.description).toBe(`Consumes valtrack events, says what it has applied (${mark})`);
    await durables.ensure('a', { ...READING, saysApplied: false });
    expect(fake.durables.get('a')?.description).toBe(`Consumes valtrack events (${mark})`);
  });

  it('of another kind is refused, whoever asks', async () => {
    await fake.jsm.consumers.add('EVENTS', { durable_name: 'a', ack_policy: AckPolicy.All });
    await expect(durables.ensure('a')).rejects.toBeInstanceOf(EventLogConfigError);
    await expect(durables.ensure('a', READING)).rejects.toBeInstanceOf(EventLogConfigError);
  });

  it('says its ack wait, which is the default of the server when nobody has set it', () => {
    expect(ackWaitMsOf({ ack_policy: AckPolicy.Explicit, ack_wait: nanos(1_500) } as never)).toBe(1_500);
    expect(ackWaitMsOf({ ack_policy: AckPolicy.Explicit } as never)).toBe(30_000);
  });
});

describe('a durable that is made anew', () => {
  beforeEach(async () => {
    await durables.ensure('a', READING);
    fake.changes.length = 0;
  });

  it('has another one in its place while it is missing', async () => {
    await durables.renew('a');
    expect(fake.changes).toEqual(['add a-renewing', 'delete a', 'add a', 'delete a-renewing']);
    expect([isKeeper('a-renewing'), isKeeper('a')]).toEqual([true, false]);
  });

  it('begins at the beginning, with the same settings, and is no other one to those who publish', async () => {
    const { opt_start_seq, ...before } = { opt_start_seq: 7, ...fake.durables.get('a') };
    fake.durables.set('a', { ...before, opt_start_seq, deliver_policy: DeliverPolicy.StartSequence });
    await durables.renew('a');
    expect(fake.durables.get('a')).toEqual({ ...before, deliver_policy: DeliverPolicy.All });
  });

  it('is another one when the one in its place was taken away: something may have left the stream', async () => {
    const mark = markNow();
    fake.onChange = (change) => {
      if (change === 'add a') fake.durables.delete('a-renewing');
    };
    await durables.renew('a');
    expect(fake.changes.at(-1)).toBe('update a');
    expect(markNow()).not.toBe(mark);
    expect(fake.durables.get('a')?.description).toContain('says what it has applied');
  });

  it('is left to who needs it when an earlier attempt came no further than removing it', async () => {
    fake.durables.clear();
    await durables.renew('a');
    expect(fake.changes).toEqual([]);
  });

  it('leaves nothing behind that is not tidied up', async () => {
    await durables.tidy('a');
    expect(fake.changes).toEqual([]);
    await durables.ensure('a-renewing');
    await durables.tidy('a');
    expect([...fake.durables.keys()]).toEqual(['a']);
  });
});
