import type { AsnType } from '../../streams/ports/geo-locator.ts';
import { KNOWN_NETWORKS } from './known-networks.ts';

/**
 * What kind of network an autonomous system is, where its data do not say: first by its number, for networks whose names
 * hide it, then by the words in the name of its organisation, in the order education, government, hosting, ISP, business.
 * A name that tells nothing is `null`: half of the world's networks are named after people and brands.
 */
export function asnTypeOf(asn: number, organization: string | null): AsnType | null {
  const known = KNOWN_NETWORKS.get(asn);
  if (known !== undefined) return known.type;
  if (organization === null) return null;
  const name = organization.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();
  return WORDS.find(([, pattern]) => pattern.test(name))?.[0] ?? null;
}

/** The first whose words are in the name decides. */
const WORDS: readonly (readonly [type: AsnType, pattern: RegExp])[] = [
  [
    'education',
    words(
      ...[
        'universi\\w*',
        'univ',
        'college\\w*',
        'colegio',
        'schools?',
        '\\w*hochschule\\w*',
        'ecole',
        'escola',
        'escuela',
      ],
      ...['academ\\w*', 'akadem\\w*', 'educa\\w*', 'politec\\w*', 'polytec\\w*', 'institute of technology', 'campus'],
      ...[
        'research\\w*',
        '\\w*forschung\\w*',
        'faculty',
        'student\\w*',
        'k-?12',
        'cernet\\w*',
        'sunet',
        'cesnet',
        'nordunet',
      ],
    ),
  ],
  [
    'government',
    words(
      ...['ministr\\w*', 'ministerio', 'government\\w*', 'federal', 'department of', 'dod', 'county', 'municip\\w*'],
      ...['city of', 'state of', 'prefeitura', 'tribunal', 'senado', 'parliament', 'army', 'navy', 'police'],
    ),
  ],
  [
    'hosting',
    words(
      ...[
        '\\w*hosting\\w*',
        '\\w*web ?hosts?',
        'hosts?',
        'hosted',
        'host(?:way|inger|gator|papa|royale|dime|point|virtual)',
      ],
      ...['\\w*cloud\\w*', '\\w*servers?', '\\w*vps', 'vds', '\\w*data ?cent(?:er|re|ers|res|rum)', 'idc'],
      ...['rack\\w*', 'co-?location', 'colo(?:crossing)?', 'dedicated', 'cdn\\w*', 'content delivery', 'bare ?metal'],
      ...['vpn', 'prox(?:y|ies)', 'virtual private', 'amazon', 'aws', 'akamai', 'alibaba', 'contabo', 'digitalocean'],
      ...[
        'equinix',
        'fastly',
        'g-core',
        'hetzner',
        'leaseweb',
        'oracle',
        'ovh\\w*',
        'scaleway',
        'tencent',
        'veri merkezi',
      ],
    ),
  ],
  [
    'isp',
    words(
      ...[
        '\\w*tele[ck]om\\w*',
        'tele(?:fon|phon|net|cable|kabel|vis|services)\\w*',
        'tel(?:e2|ia|ekom|enor|co|mex|stra|us)',
      ],
      ...[
        '\\w*cable\\w*',
        'kabel\\w*',
        '\\w*broadband\\w*',
        '\\w*fib(?:er|re|ra|ras)',
        'fib(?:er|re|ra)\\w*',
        'ftth',
        'glasfaser',
      ],
      ...[
        '\\w*wireless',
        'wi-?fi',
        'mobil(?:e|es|fon)',
        'cellular',
        'gsm',
        'satellite',
        'dsl',
        'isp',
        'tv',
        'internet',
      ],
      ...['\\w*communications?', '\\w*comunica(?:cao|coes|cion|ciones|zioni)', '\\w*kommunikation\\w*', 'iletisim\\w*'],
      ...['provedor\\w*', 'stadtwerke', 'chinanet', 'unicom', 'airtel', 'at&t', 'bell', 'charter', 'comcast', 'cox'],
      ...[
        'claro',
        'hellovision',
        'level 3',
        'orange',
        'singtel',
        'softbank',
        'sprint',
        't-mobile',
        'verizon',
        'vodafone',
      ],
    ),
  ],
  [
    'business',
    words(
      ...[
        'bank\\w*',
        'banco',
        'banque',
        'insurance',
        'versicherung\\w*',
        'assicurazioni',
        'credit',
        'financ\\w*',
        'capital',
      ],
      ...[
        'health\\w*',
        'hospital\\w*',
        'clinic\\w*',
        'medical',
        'pharma\\w*',
        'airlines?',
        'airport',
        'motors?',
        'automotive',
      ],
      ...['energy', 'electric\\w*', 'petroleum', 'steel', 'foods?', 'retail', 'hotels?', 'casino', 'newspaper\\w*'],
      ...['software', 'consult\\w*', 'partners', 'law', 'llp', 'engineering', 'industr(?:y|ies|ial)', 'manufactur\\w*'],
      ...['logistics?', 'association', 'foundation', 'church', 'council', 'holdings?', 'management', 'studios?'],
    ),
  ],
];

/** Any of the alternatives as a word of its own. */
function words(...alternatives: readonly string[]): RegExp {
  return new RegExp(`(?<![a-z0-9])(?:${alternatives.join('|')})(?![a-z0-9])`);
}
