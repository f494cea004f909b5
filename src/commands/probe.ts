import { createLogger } from '../io/logging/logger.ts';
import { useNativeEnrCrypto } from '../io/network/discv5/enr-crypto.ts';
import { listenForFaults } from '../programs/faults.ts';
import { readNetwork } from '../programs/network/open-network.ts';
import { ProbeTargetError, probePeer, probeTarget } from '../programs/probe-peer.ts';
import { openProbeState, probeFolder } from '../programs/probe-state.ts';
import { defaultDwellMs } from '../programs/sentry/limits.ts';
import { agentOf } from './agent.ts';
import { networkNamed } from './network-option.ts';
import type { Options } from './options.ts';
import { probeReport, renderProbeReport } from './probe-report.ts';
import { STOP_SIGNALS, type StopSignal } from './stop-signals.ts';
import { UsageError } from './usage-error.ts';

const EXIT_NOT_OBSERVED = 1;

/** `probe`: observe one peer once. JSON on standard output; a page for people on a terminal, unless `--json`. */
export async function probe(options: Options, [text = '']: readonly string[]): Promise<number> {
  useNativeEnrCrypto();
  const target = targetOf(text);
  const choice = await networkNamed(options);
  if (choice === null)
    throw new UsageError('--network devnet names no running network; give the path of its network.json');
  const { network } = await readNetwork(choice, options.activeValidators);
  const logger = createLogger({ level: options.logLevel, format: options.logFormat });
  // What the peer brings about inside a library must not take the answer away.
  const faults = listenForFaults(logger);
  const stop = new AbortController();
  // Whoever dies in the middle of a question leaves it unanswered at the peer; the second signal ends it as ever.
  const onStop = (signal: StopSignal) => stop.abort(signal);
  for (const signal of STOP_SIGNALS) process.once(signal, onStop);
  const observing = probePeer({
    network,
    target,
    agent: agentOf(options),
    listenIp: network.isPublic ? '0.0.0.0' : '127.0.0.1',
    dwellMs: options.dwellMs ?? defaultDwellMs(network),
    state: await openProbeState(probeFolder(process.env), logger),
    logger,
    signal: stop.signal,
  });
  const outcome = await Promise.race([observing, faults.first.then((error) => Promise.reject(error))]).catch(
    (error: unknown) => (stop.signal.aborted ? null : Promise.reject(error)),
  );
  faults.release();
  for (const signal of STOP_SIGNALS) process.off(signal, onStop);
  if (outcome === null) {
    process.kill(process.pid, stop.signal.reason);
    return EXIT_NOT_OBSERVED;
  }
  const report = probeReport(target, outcome);
  const forPeople = process.stdout.isTTY === true && !options.json;
  process.stdout.write(`${forPeople ? renderProbeReport(report) : JSON.stringify(report)}\n`);
  return report.observed ? 0 : EXIT_NOT_OBSERVED;
}

function targetOf(text: string) {
  try {
    return probeTarget(text);
  } catch (error) {
    throw error instanceof ProbeTargetError ? new UsageError(error.message) : error;
  }
}
