import { readFile, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { generateKeyPair } from '@libp2p/crypto/keys';
import type { PrivateKey } from '@libp2p/interface';
import { z } from 'zod';
import { type AskedOf, createMannersLedger, type MannersLedger } from '../consensus/manners/ledger.ts';
import type { Logger } from '../io/logging/logger.ts';
import { loadIdentity } from '../io/network/own/identity.ts';
import { prepareFolder } from '../io/storage/files/data-folder.ts';

/**
 * What probes have in common: who they are, since clients refuse an address behind which there are many (Prysm more than five), and
 * what they have asked of whom, since clients count that over connections.
 */
export interface ProbeState {
  readonly privateKey: PrivateKey;
  readonly ledger: MannersLedger;
  /** Writes down what was asked. */
  remember(): Promise<void>;
}

const times = z.array(z.number());
const asked = z.array(z.object({ peerId: z.string(), status: times, metadata: times, ping: times, goodbye: times }));

/** Where the operating system keeps what a program remembers of its user: XDG Base Directory Specification, XDG_STATE_HOME. */
export function probeFolder(environment: Readonly<Record<string, string | undefined>>): string {
  const { XDG_STATE_HOME: home } = environment;
  return join(home === undefined || home === '' ? join(homedir(), '.local', 'state') : home, 'valtrack', 'probe');
}

/** Where nothing can be kept a probe is somebody new, and says so: too many of them make an address suspicious. */
export async function openProbeState(folder: string, logger: Pick<Logger, 'warn'>): Promise<ProbeState> {
  try {
    const path = await prepareFolder(folder, 'XDG_STATE_HOME in the environment');
    const file = join(path, 'asked.json');
    const ledger = createMannersLedger({ startedMs: Number.NEGATIVE_INFINITY, remembered: await readAsked(file) });
    return {
      privateKey: await loadIdentity(path),
      ledger,
      remember: () => writeFile(file, JSON.stringify(ledger.recent(Date.now())), { mode: 0o600 }),
    };
  } catch (error) {
    logger.warn({ err: error }, 'this probe has an identity of its own, since none can be kept');
    return {
      privateKey: await generateKeyPair('secp256k1'),
      ledger: createMannersLedger({ startedMs: Number.NEGATIVE_INFINITY }),
      remember: async () => {},
    };
  }
}

/** What cannot be read is nothing: it matters for a minute. */
async function readAsked(file: string): Promise<readonly AskedOf[]> {
  try {
    const parsed = asked.safeParse(JSON.parse(await readFile(file, 'utf8')));
    return parsed.success ? parsed.data : [];
  } catch {
    return [];
  }
}
