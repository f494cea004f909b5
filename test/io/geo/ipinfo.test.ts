import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type IpinfoOptions, ipinfoLocator, retryAfterMs } from '../../../src/io/geo/ipinfo.ts';
import { LocatorUnavailableError, NOWHERE } from '../../../src/streams/ports/geo-locator.ts';
import { NEVER_ABORTED, recordingLogger, silent } from '../../support/geo/locators.ts';
import { virtualTime } from '../../support/virtual-time.ts';

const TOKEN = 'tok3n-of-nobody';
const ANSWER = {
  ip: '8.8.8.8',
  hostname: 'dns.google',
  city: 'Mountain View',
  region: 'California',
  country: 'US',
  loc: '37.4056,-122.0775',
  postal: '94043',
  asn: { asn: 'AS15169', name: 'Google LLC', domain: 'google.com', route: '8.8.8.0/24', type: 'hosting' },
};

let server: Server;
let requests: IncomingMessage[];
let respond: (request: IncomingMessage, response: ServerResponse) => void;

beforeEach(async () => {
  requests = [];
  respond = (_, response) => response.end(JSON.stringify(ANSWER));
  server = createServer((request, response) => {
    requests.push(request);
    respond(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function locator(options: Partial<IpinfoOptions> = {}) {
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return ipinfoLocator({ token: TOKEN, logger: silent, baseUrl, requestsPerSecond: 1_000, ...options });
}

function status(code: number, headers: Record<string, string> = {}) {
  respond = (_, response) => {
    response.writeHead(code, headers);
    response.end('{}');
  };
}

describe('the API of IPinfo', () => {
  it('is asked with the token in a header, and its answer read', async () => {
    expect(await locator().locate('8.8.8.8', NEVER_ABORTED)).toEqual({
      place: {
        city: 'Mountain View',
        region: 'California',
        country: 'US',
        latitude: 37.4056,
        longitude: -122.0775,
        postalCode: '94043',
      },
      network: { asn: 15169, organization: 'Google LLC', type: 'hosting' },
      hostname: 'dns.google',
    });
    expect(requests[0]?.url).toBe('/8.8.8.8/json');
    expect(requests[0]?.headers.authorization).toBe(`Bearer ${TOKEN}`);
  });

  it('is asked once for an address, also when it knows nothing of it', async () => {
    const source = locator();
    for (const ip of ['8.8.8.8', '2001:4860:4860::8888']) {
      await source.locate(ip, NEVER_ABORTED);
      await source.locate(ip, NEVER_ABORTED);
    }
    expect(requests.map((request) => request.url)).toEqual(['/8.8.8.8/json', '/2001%3A4860%3A4860%3A%3A8888/json']);
    status(404);
    expect(await source.locate('9.9.9.9', NEVER_ABORTED)).toEqual(NOWHERE);
    expect(await source.locate('9.9.9.9', NEVER_ABORTED)).toEqual(NOWHERE);
    respond = (_, response) => response.end('{"ip": "9.9.9.10", "bogon": true}');
    expect(await source.locate('9.9.9.10', NEVER_ABORTED)).toEqual(NOWHERE);
    expect(requests).toHaveLength(4);
  });

  it('remembers a bounded number of answers', async () => {
    const source = locator({ maxCached: 2 });
    for (const ip of ['8.8.8.1', '8.8.8.2', '8.8.8.3', '8.8.8.1']) await source.locate(ip, NEVER_ABORTED);
    expect(requests).toHaveLength(4);
  });

  it.each(['127.0.0.1', '10.0.0.1', 'fd00::1', '../../me'])('is never told of %s', async (ip) => {
    expect(await locator().locate(ip, NEVER_ABORTED)).toEqual(NOWHERE);
    expect(requests).toHaveLength(0);
  });

  it('is left alone as long as it asks for, then asked again', async () => {
    const time = virtualTime();
    const source = locator({ scheduler: time.scheduler });
    status(429, { 'retry-after': '30' });
    const refused = await source.locate('8.8.8.8', NEVER_ABORTED).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(LocatorUnavailableError);
    expect((refused as LocatorUnavailableError).retryAfterMs).toBe(30_000);
    await time.advance(10_000);
    await expect(source.locate('8.8.4.4', NEVER_ABORTED)).rejects.toMatchObject({ retryAfterMs: 20_000 });
    expect(requests).toHaveLength(1);
    await time.advance(20_000);
    respond = (_, response) => response.end(JSON.stringify(ANSWER));
    const asked = source.locate('8.8.8.8', NEVER_ABORTED);
    await time.advance(5);
    expect((await asked).place?.country).toBe('US');
  });

  it.each([
    [401, 3_600_000],
    [403, 3_600_000],
    [429, 60_000],
    [500, 60_000],
    [503, 60_000],
    [302, 60_000],
  ])('is left alone after %i', async (code, pauseMs) => {
    status(code, code === 302 ? { location: '/elsewhere' } : {});
    const { logger, lines } = recordingLogger();
    const source = locator({ logger });
    await expect(source.locate('8.8.8.8', NEVER_ABORTED)).rejects.toMatchObject({ retryAfterMs: pauseMs });
    await expect(source.locate('8.8.8.9', NEVER_ABORTED)).rejects.toBeInstanceOf(LocatorUnavailableError);
    expect(requests).toHaveLength(1);
    expect(lines).toHaveLength(1);
  });

  it.each([
    ['says something else than JSON', '<html>'],
    ['says too much', `"${'x'.repeat(100_000)}"`],
  ])('is left alone after it %s', async (_, body) => {
    respond = (_request, response) => response.end(body);
    await expect(locator().locate('8.8.8.8', NEVER_ABORTED)).rejects.toBeInstanceOf(LocatorUnavailableError);
  });

  it('is given up when it does not answer in time, does not listen, or breaks off', async () => {
    respond = () => {};
    await expect(locator({ timeoutMs: 20 }).locate('8.8.8.8', NEVER_ABORTED)).rejects.toThrow(
      /does not answer.*timeout/i,
    );
    respond = (request) => request.socket.destroy();
    await expect(locator().locate('8.8.8.8', NEVER_ABORTED)).rejects.toThrow('does not answer');
    const source = locator();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await expect(source.locate('8.8.8.8', NEVER_ABORTED)).rejects.toThrow('does not answer');
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });

  it('is given up at once when nobody waits any more, which is no outage', async () => {
    respond = () => {};
    const controller = new AbortController();
    const source = locator();
    const given = source.locate('8.8.8.8', controller.signal);
    await vi.waitFor(() => expect(requests).toHaveLength(1));
    controller.abort();
    await expect(given).rejects.not.toBeInstanceOf(LocatorUnavailableError);
    respond = (_, response) => response.end(JSON.stringify(ANSWER));
    expect((await source.locate('8.8.8.8', NEVER_ABORTED)).place?.country).toBe('US');
  });

  it('is asked at a steady pace', async () => {
    const time = virtualTime();
    const source = locator({ requestsPerSecond: 100, scheduler: time.scheduler });
    const all = Promise.all([1, 2, 3, 4].map((last) => source.locate(`8.8.8.${last}`, NEVER_ABORTED)));
    await vi.waitFor(() => expect(requests).toHaveLength(1));
    await time.advance(9);
    expect(requests).toHaveLength(1);
    await time.advance(2);
    await vi.waitFor(() => expect(requests).toHaveLength(2));
    await time.advance(20);
    await all;
    expect(requests).toHaveLength(4);
  });

  it('has a token that no log line and no error shows', async () => {
    const { logger, lines } = recordingLogger();
    const errors: unknown[] = [];
    for (const code of [401, 429, 500]) {
      status(code);
      await locator({ logger })
        .locate('8.8.8.8', NEVER_ABORTED)
        .catch((error: unknown) => errors.push(error));
    }
    respond = (request) => request.socket.destroy();
    await locator({ logger })
      .locate('8.8.8.8', NEVER_ABORTED)
      .catch((error: unknown) => errors.push(error));
    expect(errors).toHaveLength(4);
    expect(`${lines.join()}${errors.map((error) => (error as Error).stack).join()}`).not.toContain(TOKEN);
  });
});

describe('Retry-After', () => {
  const nowMs = Date.parse('Wed, 21 Oct 2026 07:28:00 GMT');
  it.each([
    ['30', 30_000],
    ['0', 1_000],
    ['99999999', 86_400_000],
    ['Wed, 21 Oct 2026 07:30:00 GMT', 120_000],
    ['Wed, 21 Oct 2020 07:30:00 GMT', 1_000],
    ['soon', 60_000],
    ['', 60_000],
    [null, 60_000],
  ])('%j is %i ms', (header, expectedMs) => {
    expect(retryAfterMs(header, nowMs)).toBe(expectedMs);
  });
});
