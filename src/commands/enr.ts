import { decodeNodeRecord } from '../consensus/node-record.ts';
import { useNativeEnrCrypto } from '../io/network/discv5/enr-crypto.ts';
import { enrReport, renderEnrReport } from './enr-report.ts';
import type { Options } from './options.ts';

const EXIT_INVALID = 1;

/** `enr`: decode a node record. Exit code 1 when it is not valid. */
export async function enr({ json }: Pick<Options, 'json'>, [text = '']: readonly string[]): Promise<number> {
  useNativeEnrCrypto();
  const decoded = decodeNodeRecord(text);
  if (!decoded.ok) {
    const reason = decoded.failure.detail ?? decoded.failure.cause;
    if (json) process.stdout.write(`${JSON.stringify({ valid: false, reason })}\n`);
    else process.stderr.write(`valtrack: ${reason}\n`);
    return EXIT_INVALID;
  }
  const report = enrReport(decoded.value, Date.now());
  process.stdout.write(`${json ? JSON.stringify(report) : renderEnrReport(report)}\n`);
  return 0;
}
