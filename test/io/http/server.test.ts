import { once } from 'node:events';
import { connect } from 'node:net';
import { Hono } from 'hono';
import { VirtualTimeScheduler } from 'rxjs';
import { afterEach, describe, expect, it } from 'vitest';
import { createApp } from '../../../src/io/http/app.ts';
import { HttpListenError, type HttpServer, startHttp } from '../../../src/io/http/server.ts';
import { createLogger } from '../../../src/io/logging/logger.ts';
import { openTracker } from '../../../src/io/storage/tracker/database.ts';
import { networkFigures } from '../../../src/io/storage/tracker/network-figures.ts';
import { viewReader } from '../../../src/io/storage/tracker/view-reader.ts';
import { NO_GEOLOCATION } from '../../support/http/geolocation.ts';
import { NO_VITALS } from '../../support/http/vitals.ts';
import { tempDir } from '../../support/temp-dir.ts';

const servers: HttpServer[] = [];

async function start(app: Hono = new Hono(), port = 0): Promise<HttpServer> {
  const server = await startHttp({ host: '127.0.0.1', port, fetch: app.fetch });
  servers.push(server);
  return server;
}

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

describe('startHttp', () => {
  it('picks a free port for 0 and tells which', async () => {
    const app = new Hono().get('/', (context) => context.text('hello'));
    const { url, port } = await start(app);
    expect(port).toBeGreaterThan(0);
    expect(url).toBe(`http://127.0.0.1:${port}`);
    expect(await (await fetch(url)).text()).toBe('hello');
  });

  it('says what to do when the port is in use', async () => {
    const { port } = await start();
    const failure = await startHttp({ host: '127.0.0.1', port, fetch: new Hono().fetch }).catch((error) => error);
    expect(failure).toBeInstanceOf(HttpListenError);
    expect(failure.code).toBe('EADDRINUSE');
    expect(failure.message).toContain(`127.0.0.1:${port}`);
    expect(failure.message).toContain('--http-port');
  });

  it('says what to do when the host is not this machine', async () => {
    const failure = await startHttp({ host: '192.0.2.1', port: 0, fetch: new Hono().fetch }).catch((error) => error);
    expect(failure).toBeInstanceOf(HttpListenError);
    expect(failure.message).toContain('--http-host');
  });

  it('closes although a client keeps its connection open and never asks', async () => {
    const scheduler = new VirtualTimeScheduler();
    const server = await startHttp({ host: '127.0.0.1', port: 0, fetch: new Hono().fetch, scheduler });
    const client = connect(server.port, '127.0.0.1');
    await once(client, 'connect');
    client.write('GET / HTTP/1.1\r\nHost: x\r\n');
    const gone = new Promise((resolve) => client.once('close', resolve).once('error', resolve));
    client.resume();
    const closed = server.close();
    expect(client.destroyed).toBe(false);
    scheduler.flush();
    await closed;
    await gone;
    expect(scheduler.now()).toBeGreaterThan(0);
  });
});

describe('a large view', () => {
  it('is streamed: 20,000 peers arrive whole while other requests are answered', async () => {
    const folder = await tempDir();
    const tracker = await openTracker(folder.path);
    const peers = 20_000;
    await tracker.writer.run(
      `INSERT INTO validator_tracker (peer_id, enr, last_seen, possible_validator, max_validator_count,
           num_observations, first_seen, long_lived_subnets)
         SELECT printf('16Uiu2HAm%05d', value), ?, value, 0, 0, 1, value, '[1,2]' FROM json_each(?)`,
      `enr:${'x'.repeat(300)}`,
      JSON.stringify(Array.from({ length: peers }, (_, index) => index)),
    );
    const app = createApp({
      view: viewReader(tracker.reader),
      figures: networkFigures(tracker.reader, null),
      isApiKey: async () => true,
      pseudonym: (peerId) => [...peerId].reverse().join(''),
      geolocation: NO_GEOLOCATION,
      vitals: NO_VITALS,
      logger: createLogger({ level: 'silent', format: 'json', write: () => {} }),
    });
    const { url } = await start(app);
    let answeredMeanwhile = 0;
    let isDone = false;
    const others = async () => {
      while (!isDone) {
        await (await fetch(`${url}/healthz`)).text();
        if (!isDone) answeredMeanwhile++;
      }
    };
    const asking = others();
    const records = (await (await fetch(`${url}/validators`, { headers: { 'X-API-Key': 'k' } })).json()) as unknown[];
    isDone = true;
    await asking;
    expect(records).toHaveLength(peers);
    expect(answeredMeanwhile).toBeGreaterThan(5);
    expect((await (await fetch(`${url}/validators`)).json()) as unknown[]).toHaveLength(peers);
    await tracker.close();
    await folder.remove();
  });
});
