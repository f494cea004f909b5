import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Agent, CLIENTS, clientOf, MAX_AGENT_LENGTH, parseAgent } from '../../src/consensus/client.ts';

type Row = readonly [
  agent: string,
  client: Agent['client'],
  version: string | null,
  commit: string | null,
  platform: string | null,
];

/** As clients have sent them, or as their sources make them, over the years. */
const AGENTS: readonly Row[] = [
  ['Lighthouse/v1.5.1-b0ac346/x86_64-linux', 'Lighthouse', '1.5.1', 'b0ac346', 'linux-x86_64'],
  ['Lighthouse/v2.0.1-fff01b2/x86_64-linux', 'Lighthouse', '2.0.1', 'fff01b2', 'linux-x86_64'],
  ['Lighthouse/v2.5.1-df51a73/aarch64-linux', 'Lighthouse', '2.5.1', 'df51a73', 'linux-arm64'],
  ['Lighthouse/v3.1.2/aarch64-macos', 'Lighthouse', '3.1.2', null, 'macos-arm64'],
  ['Lighthouse/v4.5.0-441fc16/x86_64-linux', 'Lighthouse', '4.5.0', '441fc16', 'linux-x86_64'],
  ['Lighthouse/v4.6.0-rc.0-b2c5f9a/x86_64-windows', 'Lighthouse', '4.6.0-rc.0', 'b2c5f9a', 'windows-x86_64'],
  ['Lighthouse/v5.0.0-b5bae6e/x86_64-macos', 'Lighthouse', '5.0.0', 'b5bae6e', 'macos-x86_64'],
  ['Lighthouse/v5.1.3-3058b96/x86_64-linux', 'Lighthouse', '5.1.3', '3058b96', 'linux-x86_64'],
  ['Lighthouse/v5.1.3-3058b96+/x86_64-linux', 'Lighthouse', '5.1.3', '3058b96', 'linux-x86_64'],
  ['Lighthouse/v5.3.0/x86_64-linux', 'Lighthouse', '5.3.0', null, 'linux-x86_64'],
  ['Lighthouse/v5.3.0-/x86_64-linux', 'Lighthouse', '5.3.0', null, 'linux-x86_64'],
  ['Lighthouse/v6.0.1-f5ad1ad/x86_64-linux', 'Lighthouse', '6.0.1', 'f5ad1ad', 'linux-x86_64'],
  ['Lighthouse/v7.0.0-beta.0-54f7bc5/aarch64-linux', 'Lighthouse', '7.0.0-beta.0', '54f7bc5', 'linux-arm64'],
  ['Lighthouse/v7.0.1-e42406d/x86_64-linux', 'Lighthouse', '7.0.1', 'e42406d', 'linux-x86_64'],
  ['lighthouse/v7.0.1/linux-x86_64', 'Lighthouse', '7.0.1', null, 'linux-x86_64'],
  ['Lighthouse/v8.0.1-ced49dd/x86_64-linux', 'Lighthouse', '8.0.1', 'ced49dd', 'linux-x86_64'],
  ['Lighthouse/v8.2.2-e423a66/aarch64-linux', 'Lighthouse', '8.2.2', 'e423a66', 'linux-arm64'],
  ['Lighthouse/v8.2.2/aarch64-macos', 'Lighthouse', '8.2.2', null, 'macos-arm64'],
  ['Lighthouse/v8.3.0-rc.0-4920af7/x86_64-linux', 'Lighthouse', '8.3.0-rc.0', '4920af7', 'linux-x86_64'],
  ['Lighthouse/4.1.0', 'Lighthouse', '4.1.0', null, null],
  ['Lighthouse/', 'Lighthouse', null, null, null],
  ['Lighthouse/vBAD', 'Lighthouse', null, null, null],
  ['Lighthouse', 'Lighthouse', null, null, null],

  [
    'Prysm/v1.0.0-alpha.7/9ef0d1b2c3a4958677665544332211aabbccddee',
    'Prysm',
    '1.0.0-alpha.7',
    '9ef0d1b2c3a4958677665544332211aabbccddee',
    null,
  ],
  [
    'Prysm/v1.3.8-hotfix+6c0942/6c09424feb3141b96016bed817d7ade1cd75deb7',
    'Prysm',
    '1.3.8-hotfix',
    '6c09424feb3141b96016bed817d7ade1cd75deb7',
    null,
  ],
  [
    'Prysm/v1.4.3/8bca66ac6408a03af52d65541f58384007ed50ef',
    'Prysm',
    '1.4.3',
    '8bca66ac6408a03af52d65541f58384007ed50ef',
    null,
  ],
  [
    'Prysm/v2.0.2/a80b1c252a9b4773493b41999769bf3134ac373f',
    'Prysm',
    '2.0.2',
    'a80b1c252a9b4773493b41999769bf3134ac373f',
    null,
  ],
  ['Prysm/v4.0.0', 'Prysm', '4.0.0', null, null],
  [
    'Prysm/v5.0.0/b7b017f5b607f04d4e9056a1ec8a6851a9c7da29',
    'Prysm',
    '5.0.0',
    'b7b017f5b607f04d4e9056a1ec8a6851a9c7da29',
    null,
  ],
  [
    'Prysm/v5.1.0-rc.3/1c3a5f9d63a44d3630d4e2e008d1b0a82b4e29f0',
    'Prysm',
    '5.1.0-rc.3',
    '1c3a5f9d63a44d3630d4e2e008d1b0a82b4e29f0',
    null,
  ],
  ['Prysm/v5.1.2 (linux amd64)', 'Prysm', '5.1.2', null, 'linux-x86_64'],
  ['Prysm/v5.2.1/linux-amd64', 'Prysm', '5.2.1', null, 'linux-x86_64'],
  ['Prysm/v5.2.1/linux/amd64', 'Prysm', '5.2.1', null, 'linux-x86_64'],
  ['Prysm/v6.0.2 (darwin arm64)', 'Prysm', '6.0.2', null, 'macos-arm64'],
  ['Prysm/v6.0.0 (windows amd64)', 'Prysm', '6.0.0', null, 'windows-x86_64'],
  [
    'Prysm/v7.2.0/03f3712a184c1c7cc9fd38d3b1abc5328934cdef',
    'Prysm',
    '7.2.0',
    '03f3712a184c1c7cc9fd38d3b1abc5328934cdef',
    null,
  ],
  [
    'Prysm/Unknown/e2340867bda56a483e858711d6fd0d2a79af8e37',
    'Prysm',
    null,
    'e2340867bda56a483e858711d6fd0d2a79af8e37',
    null,
  ],
  ['Prysm/Unknown/Local build', 'Prysm', null, null, null],
  ['Prysm/develop/7CAFE12', 'Prysm', null, '7cafe12', null],

  [
    'teku/teku/v21.7.0+9-g77b4b9e/linux-x86_64/-ubuntu-openjdk64bitservervm-java-11',
    'Teku',
    '21.7.0+9',
    '77b4b9e',
    'linux-x86_64',
  ],
  ['teku/teku/v21.8.2/linux-x86_64/corretto-java-16', 'Teku', '21.8.2', null, 'linux-x86_64'],
  ['teku/teku/v21.11.0+62-g501ffa7/linux-x86_64/corretto-java-17', 'Teku', '21.11.0+62', '501ffa7', 'linux-x86_64'],
  [
    'teku/teku/v22.1.1+3332-g57044e30f0/linux-x86_64/-eclipseadoptium-openjdk64bitservervm-java-21',
    'Teku',
    '22.1.1+3332',
    '57044e30f0',
    'linux-x86_64',
  ],
  [
    'teku/v22.8.1/windows-x86_64/-eclipseadoptium-openjdk64bitservervm-java-17',
    'Teku',
    '22.8.1',
    null,
    'windows-x86_64',
  ],
  ['teku/v23.1.0', 'Teku', '23.1.0', null, null],
  [
    'teku/teku/v23.10.0/linux-aarch_64/-privatebuild-openjdk64bitservervm-java-17',
    'Teku',
    '23.10.0',
    null,
    'linux-arm64',
  ],
  ['teku/teku/v24.1.0/linux-x86_64', 'Teku', '24.1.0', null, 'linux-x86_64'],
  ['teku/teku/v24.8.0/linux-amd64/-privatebuild', 'Teku', '24.8.0', null, 'linux-x86_64'],
  ['teku/v24.10.3/linux-x86_64/-eclipseadoptium-openjdk64bitservervm-java-21', 'Teku', '24.10.3', null, 'linux-x86_64'],
  [
    'teku/teku/v25.1.0/osx-aarch_64/-azulsystems,inc.-openjdk64bitservervm-java-21',
    'Teku',
    '25.1.0',
    null,
    'macos-arm64',
  ],
  ['teku/teku/v25.4.1/linux-x86_64/oracle_openjdk-java-24', 'Teku', '25.4.1', null, 'linux-x86_64'],
  [
    'teku/teku/v25.11.0/linux-x86_64/-eclipseadoptium-openjdk64bitservervm-java-21',
    'Teku',
    '25.11.0',
    null,
    'linux-x86_64',
  ],
  ['teku/teku/v26.3.0/linux-x86_64/-eclipseadoptium-openjdk64bitservervm-java', 'Teku', '26.3.0', null, 'linux-x86_64'],
  [
    'teku/teku/v26.7.1/linux-x86_64/-eclipseadoptium-openjdk64bitservervm-java-26',
    'Teku',
    '26.7.1',
    null,
    'linux-x86_64',
  ],
  ['teku/v26.9.1-rc1', 'Teku', '26.9.1-rc.1', null, null],
  ['teku/v26.9.1-rc-2', 'Teku', '26.9.1-rc.2', null, null],
  ['teku/v26.9.1-RC', 'Teku', '26.9.1-rc', null, null],
  [
    'teku/teku/vUNKNOWN+g40561a9/linux-x86_64/-eclipseadoptium-openjdk64bitservervm-java-21',
    'Teku',
    null,
    '40561a9',
    'linux-x86_64',
  ],
  ['teku/teku/vUNKNOWN/linux-x86_64/-ubuntu-openjdk64bitservervm-java-21', 'Teku', null, null, 'linux-x86_64'],
  ['Teku/v24.3.1', 'Teku', '24.3.1', null, null],
  ['teku', 'Teku', null, null, null],

  ['nimbus', 'Nimbus', null, null, null],
  ['Nimbus', 'Nimbus', null, null, null],
  ['Nimbus/v24.8.0-abc1234/linux-amd64', 'Nimbus', '24.8.0', 'abc1234', 'linux-x86_64'],
  ['Nimbus/v25.4.0-c7e5ca-stateofus', 'Nimbus', '25.4.0', 'c7e5ca', null],
  ['Nimbus/v25.4.1-77cfa7-stateofus', 'Nimbus', '25.4.1', '77cfa7', null],
  ['Nimbus/v26.7.0-4110bc-stateofus', 'Nimbus', '26.7.0', '4110bc', null],
  ['nimbus/v26.10.0-657beb-stateofus', 'Nimbus', '26.10.0', '657beb', null],
  ['Nimbus/v0.2.2-f946fa21/linux-amd64/Nim-2.2.4', 'Nimbus', '0.2.2', 'f946fa21', 'linux-x86_64'],
  ['nim-libp2p/0.0.1', 'Nimbus', null, null, null],

  ['js-libp2p/0.32.4', 'Lodestar', null, null, null],
  ['js-libp2p/0.36.2', 'Lodestar', null, null, null],
  ['js-libp2p/2.10.0 UserAgent=24.21.0', 'Lodestar', null, null, null],
  ['lodestar/v1.2.0', 'Lodestar', '1.2.0', null, null],
  ['Lodestar/v1.15.0/linux-x64', 'Lodestar', '1.15.0', null, 'linux-x86_64'],
  ['Lodestar/v1.22.0/linux-x64/nodejs', 'Lodestar', '1.22.0', null, 'linux-x86_64'],
  ['Lodestar/v1.25.0/537dc08', 'Lodestar', '1.25.0', '537dc08', null],
  ['Lodestar/v1.28.1/1f339ea', 'Lodestar', '1.28.1', '1f339ea', null],
  ['Lodestar/v1.31.0/64823d4', 'Lodestar', '1.31.0', '64823d4', null],
  ['Lodestar/v1.36.0', 'Lodestar', '1.36.0', null, null],
  ['lodestar/v1.40.0/ffbb1d1', 'Lodestar', '1.40.0', 'ffbb1d1', null],
  ['Lodestar/v1.41.0-rc.1/8335180', 'Lodestar', '1.41.0-rc.1', '8335180', null],
  ['Lodestar/v1.43.0-dev.9aa1b3c2d4/9aa1b3c', 'Lodestar', '1.43.0-dev', '9aa1b3c', null],
  ['lodestar', 'Lodestar', null, null, null],

  ['Grandine/0.4.1-37b6bb5/x86_64-linux', 'Grandine', '0.4.1', '37b6bb5', 'linux-x86_64'],
  ['Grandine/1.1.0-29cb5c1/x86_64-linux2025-05-19', 'Grandine', '1.1.0', '29cb5c1', 'linux-x86_64'],
  ['Grandine/1.1.1-abcdef0/aarch64-linux', 'Grandine', '1.1.1', 'abcdef0', 'linux-arm64'],
  ['Grandine/2.0.0-1e3d5c2/x86_64-linux', 'Grandine', '2.0.0', '1e3d5c2', 'linux-x86_64'],
  ['Grandine/2.0.5-70a5c7ea/x86_64-linux', 'Grandine', '2.0.5', '70a5c7ea', 'linux-x86_64'],
  ['Grandine/2.0.0.rc0-1234abc/x86_64-windows', 'Grandine', '2.0.0-rc.0', '1234abc', 'windows-x86_64'],
  ['Grandine/v2.0.0.rc0', 'Grandine', '2.0.0-rc.0', null, null],
  ['Grandine/3.0.0/e3ce4d43', 'Grandine', '3.0.0', 'e3ce4d43', null],
  ['Grandine/v1.0.0/linux-amd64', 'Grandine', '1.0.0', null, 'linux-x86_64'],
  ['Grandine', 'Grandine', null, null, null],

  ['erigon/lightclient', 'Caplin', null, null, null],
  ['erigon/caplin', 'Caplin', null, null, null],
  ['erigon/caplin/v3.2.2', 'Caplin', '3.2.2', null, null],
  ['erigon/caplin/3.6.0-ecc2ad99', 'Caplin', '3.6.0', 'ecc2ad99', null],
  ['erigon/caplin/v3.3.9/linux-amd64/go1.25', 'Caplin', '3.3.9', null, 'linux-x86_64'],
  ['caplin/v3.2.1/linux-amd64', 'Caplin', '3.2.1', null, 'linux-x86_64'],
  ['caplin/caplin/v3.5.2/linux-arm64/go1.25', 'Caplin', '3.5.2', null, 'linux-arm64'],
  ['Caplin', 'Caplin', null, null, null],

  ['rust-libp2p/0.36.1', 'unknown', '0.36.1', null, null],
  ['rust-libp2p/0.44.2', 'unknown', '0.44.2', null, null],
  ['rust-libp2p/0.48.0', 'unknown', '0.48.0', null, null],
  ['go-ipfs/0.8.0/48f94e2', 'unknown', '0.8.0', '48f94e2', null],
  ['kubo/0.15.0-dev/', 'unknown', '0.15.0-dev', null, null],
  ['hydra-booster/0.7.4', 'unknown', '0.7.4', null, null],
  ['lotus-1.13.0+mainnet+git.7a55e8e8', 'unknown', null, null, null],
  ['nebula/2.4.0+ab12cd34', 'unknown', '2.4.0', 'ab12cd34', null],
  ['hermes', 'unknown', null, null, null],
  ['Armiarma Crawler', 'unknown', null, null, null],
  ['valtrack', 'unknown', null, null, null],
  ['Geth/v1.16.7-stable-b9f3a3d9/linux-amd64/go1.24', 'unknown', '1.16.7', 'b9f3a3d9', 'linux-x86_64'],
  ['reth/v1.11.0+b00debcc/aarch64-unknown-linux-gnu', 'unknown', '1.11.0', 'b00debcc', 'linux-arm64'],
  ['vibehouse/v1.0.0/riscv64-linux', 'unknown', '1.0.0', null, 'linux-riscv64'],
  ['UnknownClient/v7.0.0', 'unknown', '7.0.0', null, null],
  ['github.com/prysmaticlabs/prysm', 'unknown', null, null, null],
  ['/v7.0.0', 'unknown', '7.0.0', null, null],
  ['p2pd', 'unknown', null, null, null],
  ['unknown', 'unknown', null, null, null],
  ['justastring', 'unknown', null, null, null],
  ['', 'unknown', null, null, null],
  ['////', 'unknown', null, null, null],
  ['winner/winter/swim', 'unknown', null, null, null],
];

describe('what an agent string says', () => {
  it('is tried on at least a hundred strings, of every client', () => {
    expect(AGENTS.length).toBeGreaterThanOrEqual(100);
    expect(new Set(AGENTS.map(([agent]) => agent)).size).toBe(AGENTS.length);
    for (const client of CLIENTS) {
      expect(AGENTS.filter((row) => row[1] === client).length, client).toBeGreaterThanOrEqual(8);
    }
  });

  it.each(AGENTS)('%s', (raw, client, version, commit, platform) => {
    expect(parseAgent(raw)).toEqual({ client, version, commit, platform, raw });
  });

  it('agrees with what made it', () => {
    const hex = (length: number) =>
      fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: length, maxLength: length });
    const release = fc.tuple(fc.nat(99), fc.nat(99), fc.nat(999)).map((numbers) => numbers.join('.'));
    const processor = fc.constantFrom(['x86_64', 'x86_64'], ['aarch64', 'arm64']);
    fc.assert(
      fc.property(
        release,
        fc.option(fc.nat(20)),
        hex(7),
        hex(40),
        processor,
        (version, rc, short, long, [arch, named]) => {
          const full = rc === null ? version : `${version}-rc.${rc}`;
          expect(parseAgent(`Lighthouse/v${full}-${short}/${arch}-linux`)).toMatchObject({
            client: 'Lighthouse',
            version: full,
            commit: short,
            platform: `linux-${named}`,
          });
          expect(parseAgent(`Prysm/v${full}/${long}`)).toMatchObject({ client: 'Prysm', version: full, commit: long });
          expect(parseAgent(`Lodestar/v${full}/${short}`)).toMatchObject({
            client: 'Lodestar',
            version: full,
            commit: short,
          });
          expect(parseAgent(`teku/teku/v${version}+12-g${short}/linux-${arch}/-x-java-21`)).toMatchObject({
            version: `${version}+12`,
            commit: short,
            platform: `linux-${named}`,
          });
        },
      ),
    );
  });

  it('keeps its form whatever a stranger calls itself', () => {
    const pieces = fc.constantFrom(
      'Lighthouse',
      'teku',
      '/',
      '-',
      '+',
      'v',
      '1.2.3',
      '1.2',
      '-rc.1',
      'abcdef0',
      'linux',
      'x64',
      ' (',
      ')',
      '\u0000',
      '🦋',
    );
    const strange = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(pieces, { maxLength: 60 }).map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(strange, (agent) => {
        const { client, version, commit, platform, raw } = parseAgent(agent);
        expect(client).toBe(clientOf(agent));
        expect(agent.startsWith(raw) && raw.length <= MAX_AGENT_LENGTH).toBe(true);
        expect(version ?? '0.0').toMatch(/^\d{1,5}(\.\d{1,5}){1,3}((-[a-z]+(\.\d{1,4})?)|(\+\d{1,6}))*$/);
        expect(commit ?? 'abcdef').toMatch(/^[0-9a-f]{6,40}$/);
        expect(platform ?? 'linux').toMatch(
          /^((macos|windows|linux|freebsd)(-(x86_64|arm64|arm|riscv64))?|x86_64|arm64|arm|riscv64)$/,
        );
      }),
    );
  });

  it('is soon read however long and strange it is', () => {
    for (const piece of ['-rc.1', '+1', '-abcdef0', '.', '-', 'win', '1.2.3/', 'unknown+g']) {
      const agent = `Lighthouse/v1.2.3${piece.repeat(100_000)}`;
      const startedMs = performance.now();
      parseAgent(agent);
      expect(performance.now() - startedMs).toBeLessThan(200);
    }
  });
});
