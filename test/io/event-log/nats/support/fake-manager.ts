import {
  type ConsumerConfig,
  type ConsumerInfo,
  type JetStreamManager,
  NatsError,
  type StreamConfig,
  type StreamInfo,
} from 'nats';

/** The part of a nats-server that makes streams and durables, in memory; notes what it is told to change, in order. */
export interface FakeManager {
  readonly jsm: JetStreamManager;
  readonly changes: string[];
  readonly durables: Map<string, Partial<ConsumerConfig>>;
  /** Called after each change that was noted. */
  onChange: (change: string) => void;
  /** The stream is gone with its durables, as when the server's folder was lost. */
  loseStream(): void;
}

/** JetStream's numbers for what is not there. */
const STREAM_NOT_FOUND = 10059;
const CONSUMER_NOT_FOUND = 10014;

export function fakeManager(): FakeManager {
  const durables = new Map<string, Partial<ConsumerConfig>>();
  let stream: StreamInfo | null = null;
  let made = 0;

  const infoOf = (name: string) => ({ name, config: durables.get(name) }) as ConsumerInfo;
  const change = (text: string) => {
    fake.changes.push(text);
    fake.onChange(text);
  };

  const streams = {
    async info() {
      return stream ?? notFound(STREAM_NOT_FOUND);
    },
    async add(config: StreamConfig) {
      stream = { config, created: `${++made}`, state: { first_seq: 1, last_seq: 0 } } as unknown as StreamInfo;
      change('add the stream');
      return stream;
    },
  };
  const consumers = {
    async info(_: string, name: string) {
      return durables.has(name) ? infoOf(name) : notFound(CONSUMER_NOT_FOUND);
    },
    async add(_: string, config: ConsumerConfig) {
      const name = config.durable_name ?? '';
      durables.set(name, config);
      change(`add ${name}`);
      return infoOf(name);
    },
    async update(_: string, name: string, config: Partial<ConsumerConfig>) {
      durables.set(name, { ...durables.get(name), ...config });
      change(`update ${name}`);
      return infoOf(name);
    },
    async delete(_: string, name: string) {
      if (!durables.delete(name)) notFound(CONSUMER_NOT_FOUND);
      change(`delete ${name}`);
      return true;
    },
  };

  const fake: FakeManager = {
    jsm: { streams, consumers } as unknown as JetStreamManager,
    changes: [],
    durables,
    onChange: () => undefined,
    loseStream() {
      stream = null;
      durables.clear();
    },
  };
  return fake;
}

function notFound(number: number): never {
  const error = new NatsError('not found', '404');
  error.api_error = { code: 404, err_code: number, description: 'not found' };
  throw error;
}
