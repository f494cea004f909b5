import { createSocket, type Socket } from 'node:dgram';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { reverseDnsLocator } from '../../../src/io/geo/reverse-dns.ts';
import { LocatorUnavailableError, NOWHERE } from '../../../src/streams/ports/geo-locator.ts';
import { NEVER_ABORTED } from '../../support/geo/locators.ts';

/** A name server that answers every question with one code and some PTR records (RFC 1035, 4.1). */
let server: Socket;
let questions: string[];
let answer: { code: number; names: readonly string[] } | null;

beforeEach(async () => {
  questions = [];
  answer = { code: 0, names: ['dns.google'] };
  server = createSocket('udp4');
  server.on('message', (query, from) => {
    const { name, end } = readName(query);
    questions.push(name);
    if (answer !== null) server.send(reply(query, end, answer), from.port, from.address);
  });
  await new Promise<void>((resolve) => server.bind(0, '127.0.0.1', resolve));
});
afterEach(() => new Promise<void>((resolve) => server.close(() => resolve())));

function readName(query: Buffer): { name: string; end: number } {
  const labels: string[] = [];
  let at = 12;
  while (query[at] !== 0) {
    const length = query[at] as number;
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.'), end: at + 1 };
}

function reply(query: Buffer, nameEnd: number, { code, names }: { code: number; names: readonly string[] }): Buffer {
  const header = Buffer.from([query[0] ?? 0, query[1] ?? 0, 0x81, 0x80 | code, 0, 1, 0, names.length, 0, 0, 0, 0]);
  const records = names.map((name) => {
    const data = Buffer.concat([
      ...name.split('.').map((label) => Buffer.from([label.length, ...Buffer.from(label)])),
      Buffer.of(0),
    ]);
    const fixed = Buffer.from([0xc0, 12, 0, 12, 0, 1, 0, 0, 0, 60, data.length >> 8, data.length & 255]);
    return Buffer.concat([fixed, data]);
  });
  return Buffer.concat([header, query.subarray(12, nameEnd + 4), ...records]);
}

function locator() {
  return reverseDnsLocator({
    servers: [`127.0.0.1:${server.address().port}`],
    timeoutMs: 100,
    requestsPerSecond: 1_000,
  });
}

describe('reverse DNS', () => {
  it('gives the name of an address, and nothing else', async () => {
    expect(await locator().locate('8.8.8.8', NEVER_ABORTED)).toEqual({ ...NOWHERE, hostname: 'dns.google' });
    expect(questions).toEqual(['8.8.8.8.in-addr.arpa']);
    await locator().locate('2001:db9::1', NEVER_ABORTED);
    expect(questions[1]).toMatch(/^1(\.0){23}\.9\.b\.d\.0\.1\.0\.0\.2\.ip6\.arpa$/);
  });

  it('takes the first name that is one', async () => {
    answer = { code: 0, names: ['<script>', 'Host-1.Example.ORG'] };
    expect((await locator().locate('8.8.8.8', NEVER_ABORTED)).hostname).toBe('host-1.example.org');
    answer = { code: 0, names: ['<script>'] };
    expect((await locator().locate('8.8.8.8', NEVER_ABORTED)).hostname).toBe(null);
  });

  it('knows nothing where there is no name', async () => {
    answer = { code: 3, names: [] };
    expect(await locator().locate('8.8.8.8', NEVER_ABORTED)).toEqual(NOWHERE);
    answer = { code: 0, names: [] };
    expect(await locator().locate('8.8.8.8', NEVER_ABORTED)).toEqual(NOWHERE);
  });

  it.each([
    ['fails', { code: 2, names: [] }],
    ['refuses', { code: 5, names: [] }],
    ['is silent', null],
  ])('cannot tell when the name server %s', async (_, said) => {
    answer = said;
    await expect(locator().locate('8.8.8.8', NEVER_ABORTED)).rejects.toBeInstanceOf(LocatorUnavailableError);
  });

  it.each(['127.0.0.1', '192.168.1.1', 'fe80::1'])('asks nobody about %s', async (ip) => {
    expect(await locator().locate(ip, NEVER_ABORTED)).toEqual(NOWHERE);
    expect(questions).toEqual([]);
  });
});
