import { AckPolicy, type ConsumerConfig, RetentionPolicy, StorageType, type StreamConfig } from 'nats';
import { STREAM_NAME, SUBJECTS } from '../../../consensus/events.ts';
import { EventLogConfigError } from './errors.ts';

/** @throws EventLogConfigError when an existing stream is of another kind; says what to do */
export function checkStream({ name, retention, storage, subjects }: StreamConfig): void {
  const remedy = `consume what is in it, then remove it with \`nats stream rm ${name}\`: it is made anew`;
  if (retention !== RetentionPolicy.Interest) {
    throw new EventLogConfigError(`the NATS stream ${name} has ${retention} retention, not interest; ${remedy}`);
  }
  if (storage !== StorageType.File) {
    throw new EventLogConfigError(`the NATS stream ${name} is in ${storage}, not in files; ${remedy}`);
  }
  const missing = SUBJECTS.filter((subject) => !(subjects ?? []).some((pattern) => covers(pattern, subject)));
  if (missing.length === 0) return;
  throw new EventLogConfigError(
    `the NATS stream ${name} does not take ${missing.join(' and ')}; ` +
      `add it with \`nats stream edit ${name} --subjects=${SUBJECTS.join(',')}\``,
  );
}

/** @throws EventLogConfigError when an existing durable is of another kind; says what to do */
export function checkConsumer(config: ConsumerConfig): void {
  const wrong = wrongWithConsumer(config);
  if (wrong === null) return;
  const name = config.durable_name ?? config.name;
  throw new EventLogConfigError(
    `the NATS durable ${name} ${wrong}; remove it with \`nats consumer rm ${STREAM_NAME} ${name}\`, ` +
      'or give another with --consumer-name',
  );
}

/** Why it cannot be the durable of a consumer of ours, `null` when it can. */
export function wrongWithConsumer(config: ConsumerConfig): string | null {
  if (config.ack_policy !== AckPolicy.Explicit) return `has ack policy ${config.ack_policy}, not explicit`;
  if (config.deliver_subject) return `pushes to ${config.deliver_subject} instead of being pulled from`;
  if (config.filter_subject || config.filter_subjects?.length) return 'takes only some subjects';
  return null;
}

/** Whether a subject pattern with the wildcards `*` (one word) and `>` (the rest) matches a subject. */
function covers(pattern: string, subject: string): boolean {
  const words = subject.split('.');
  const wanted = pattern.split('.');
  if (wanted.at(-1) === '>') {
    return (
      words.length >= wanted.length &&
      covers(wanted.slice(0, -1).join('.'), words.slice(0, wanted.length - 1).join('.'))
    );
  }
  return words.length === wanted.length && wanted.every((word, index) => word === '*' || word === words[index]);
}
