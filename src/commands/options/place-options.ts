import { GEO_SOURCES, type GeoSource } from '../../io/geo/sources.ts';
import { integer, listOf, secret, text, texts } from '../values.ts';
import { STORING, spec } from './option-spec.ts';

/** Who may read, and where nodes are. */
export const PLACE_OPTIONS = {
  'api-keys': spec<string>({
    describe: 'File with the API keys, one a line; read again when it changes',
    default: 'api_keys.txt',
    read: text,
    commands: STORING,
  }),
  geo: spec<readonly GeoSource[]>({
    describe: `Sources of locations, asked in the order given, with commas between them: ${GEO_SOURCES.join(', ')}; or none`,
    defaultText: 'on a devnet devnet, else what is given below and then embedded',
    read: listOf(GEO_SOURCES),
    commands: STORING,
  }),
  mmdb: spec<readonly string[]>({
    describe: 'Geolocation databases in the MMDB format, with commas between them; read again when they change',
    defaultText: 'none',
    read: texts,
    commands: STORING,
  }),
  'ipinfo-token': spec<string>({
    describe: 'Token for the API of IPinfo',
    defaultText: 'IPINFO_TOKEN of the environment',
    read: secret,
    commands: STORING,
  }),
  'ip-metadata': spec<string>({
    describe: 'CSV file of locations in the form of chainbound/valtrack',
    defaultText: 'none',
    read: text,
    commands: STORING,
  }),
  'active-validators': spec<number>({
    describe: 'Number of active validators, for the estimators',
    defaultText: "the network's",
    read: integer(1),
    commands: ['run', 'sentry', 'consumer', 'devnet'],
  }),
} as const;
