import type { NodeTruth } from '../truth.ts';
import { caplin2024, caplin2026 } from './caplin.ts';
import { grandine } from './grandine.ts';
import { lighthouse } from './lighthouse.ts';
import { lodestar } from './lodestar.ts';
import { nimbus } from './nimbus.ts';
import { prysm } from './prysm.ts';
import type { Rules, RulesOptions } from './rules.ts';
import { teku } from './teku.ts';

/** The rules of a node's client, with nothing remembered of anybody. Every other Caplin is the sentinel of 2024. */
export function rulesOf({ client, index }: Pick<NodeTruth, 'client' | 'index'>, options: RulesOptions): Rules {
  switch (client) {
    case 'Lighthouse':
      return lighthouse(options);
    case 'Grandine':
      return grandine(options);
    case 'Lodestar':
      return lodestar(options);
    case 'Prysm':
      return prysm(options);
    case 'Teku':
      return teku(options);
    case 'Nimbus':
      return nimbus(options);
    case 'Caplin':
      return index % 2 === 0 ? caplin2026(options) : caplin2024();
  }
}
