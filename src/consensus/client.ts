/** Beacon node software, from the agent string that libp2p's identify carries. */

export const CLIENTS = ['Lighthouse', 'Prysm', 'Teku', 'Nimbus', 'Lodestar', 'Grandine', 'Caplin', 'unknown'] as const;
export type Client = (typeof CLIENTS)[number];

/** What an agent string says of the software behind a peer; `null` where it says nothing. */
export interface Agent {
  readonly client: Client;
  /** Without the `v`: `8.0.1`, `8.3.0-rc.0`, `21.7.0+9` (commits since that release). */
  readonly version: string | null;
  /** Hexadecimal, lower case, as long as the peer gave it: 6 to 40 digits. */
  readonly commit: string | null;
  /** Operating system and processor, named alike for all clients: `linux-x86_64`, `macos-arm64`, `linux`. */
  readonly platform: string | null;
  /** The string itself, cut to {@link MAX_AGENT_LENGTH}. */
  readonly raw: string;
}

/** The longest real ones have about 110 characters. */
export const MAX_AGENT_LENGTH = 256;

const NAMES: ReadonlyMap<string, Client> = new Map([
  ['lighthouse', 'Lighthouse'],
  ['prysm', 'Prysm'],
  ['teku', 'Teku'],
  ['nimbus', 'Nimbus'],
  ['nim-libp2p', 'Nimbus'],
  ['lodestar', 'Lodestar'],
  ['js-libp2p', 'Lodestar'],
  ['grandine', 'Grandine'],
  ['caplin', 'Caplin'],
  ['erigon', 'Caplin'],
]);

/** Libraries that clients leave as their name; the version that follows is the library's. */
const LIBRARIES: ReadonlySet<string> = new Set(['js-libp2p', 'nim-libp2p']);

/** The client an agent string such as `teku/teku/v25.1.0/linux-x86_64` belongs to. */
export function clientOf(agent: string): Client {
  return NAMES.get(nameOf(agent)) ?? 'unknown';
}

function nameOf(agent: string): string {
  return /^[a-z0-9-]+/.exec(agent.slice(0, 64).toLowerCase())?.[0] ?? '';
}

/** Reads an agent string, of whatever client. Total: a part that is not where clients put it is `null`. */
export function parseAgent(agent: string): Agent {
  const raw = agent.slice(0, MAX_AGENT_LENGTH);
  const [, ...parts] = raw.split(/[/ ()]+/);
  const versions = parts.flatMap((part) => versionOf(part) ?? []);
  const commits = [...versions.flatMap(({ commit }) => commit ?? []), ...parts.flatMap((part) => commitOf(part) ?? [])];
  return {
    client: clientOf(raw),
    version: LIBRARIES.has(nameOf(raw)) ? null : (versions[0]?.version ?? null),
    commit: commits.toSorted((left, right) => right.length - left.length)[0] ?? null,
    platform: platformOf(parts),
    raw,
  };
}

const RELEASE = /^v?(\d{1,5}(?:\.\d{1,5}){1,3})(?=$|[-+.])/i;
const PRE_RELEASE = /^[-+.](alpha|beta|rc|dev|develop|unstable|nightly|hotfix|snapshot)(?:[-.]?(\d{1,4}))?(?=$|[-+.])/i;
const COMMITS_SINCE = /^\+(\d{1,6})(?=-g[0-9a-f])/i;
const COMMIT = /^[-+]g?([0-9a-f]{6,40})(?=$|[-+])/i;
const OTHER = /^[-+.][^-+.]*/;

/** `v8.3.0-rc.0-4920af7`, `1.1.0-29cb5c1`, `v21.7.0+9-g77b4b9e`, `v26.7.0-4110bc-stateofus`: release, then notes on it. */
function versionOf(part: string): { version: string; commit: string | null } | null {
  const release = RELEASE.exec(part);
  if (release === null) return null;
  let version = release[1] as string;
  let commit: string | null = null;
  let rest = part.slice(release[0].length);
  const take = (pattern: RegExp): RegExpExecArray | null => {
    const match = pattern.exec(rest);
    if (match !== null) rest = rest.slice(match[0].length);
    return match;
  };
  while (rest !== '') {
    const preRelease = take(PRE_RELEASE);
    if (preRelease !== null) {
      version += `-${preRelease[1]?.toLowerCase()}${preRelease[2] === undefined ? '' : `.${preRelease[2]}`}`;
      continue;
    }
    const since = take(COMMITS_SINCE);
    if (since !== null) version += `+${since[1]}`;
    else {
      const hash = take(COMMIT);
      if (hash !== null) commit ??= hash[1]?.toLowerCase() ?? null;
      else if (take(OTHER) === null) break;
    }
  }
  return { version, commit };
}

/** A part that is a commit (`Prysm/v5.0.0/b7b0…`), or ends in one after a version nobody set (`vUNKNOWN+g40561a9`). */
function commitOf(part: string): string | null {
  const match = /^(?:v?unknown\+g)?([0-9a-f]{6,40})[+]?$/i.exec(part);
  return match?.[1]?.toLowerCase() ?? null;
}

const SYSTEMS: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/(?<![a-z0-9])(?:darwin|macos|osx)/, 'macos'],
  [/(?<![a-z0-9])win(?:dows|32|64)?(?![a-z])/, 'windows'],
  [/(?<![a-z0-9])linux/, 'linux'],
  [/(?<![a-z0-9])freebsd/, 'freebsd'],
];
const PROCESSORS: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/(?<![a-z0-9])(?:x86[_-]64|amd64|x64)(?![0-9])/, 'x86_64'],
  [/(?<![a-z0-9])(?:aarch_?64|arm64)(?![0-9])/, 'arm64'],
  [/(?<![a-z0-9])(?:armv\d|arm)(?![a-z])/, 'arm'],
  [/(?<![a-z0-9])riscv64/, 'riscv64'],
];

/** `x86_64-linux`, `linux-x86_64`, `linux/amd64` and `aarch64-macos` in one form. */
function platformOf(parts: readonly string[]): string | null {
  const text = parts.join('/').toLowerCase();
  const find = (names: typeof SYSTEMS) => names.find(([pattern]) => pattern.test(text))?.[1] ?? null;
  const words = [find(SYSTEMS), find(PROCESSORS)].filter((word) => word !== null);
  return words.length === 0 ? null : words.join('-');
}
