import { ESTIMATE_FLAGS } from '../../consensus/estimators/combined.ts';
import { METHODS } from '../../consensus/estimators/peer-estimates.ts';
import { DIMENSIONS } from '../storage/tracker/network-figures.ts';

/** What `/openapi.json` answers. A test holds it against the routes and what they give. */

type Schema = Readonly<Record<string, unknown>>;

const text = (description: string): Schema => ({ type: 'string', description });
const number = (description: string): Schema => ({ type: 'number', description });
const integer = (description: string): Schema => ({ type: 'integer', description });
const unixMs = (description: string): Schema => integer(`${description}, Unix time in ms`);
const orNull = (schema: Schema): Schema => ({ ...schema, type: [schema['type'], 'null'] });
const list = (items: Schema): Schema => ({ type: 'array', items });
const object = (properties: Readonly<Record<string, Schema>>, required = Object.keys(properties)): Schema => ({
  type: 'object',
  properties,
  required,
});
const named = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });

const PUBLIC_PROPERTIES = {
  peer_id: text('libp2p peer id; without a key a pseudonym that stays the same'),
  last_seen: unixMs('Newest observation'),
  last_epoch: orNull(integer('Epoch of the newest observation')),
  client_version: orNull(text('Agent string')),
  possible_validator: { type: 'boolean', description: 'Whether any observation had a short-lived subnet' },
  max_validator_count: integer('Published rule: most short-lived subnets in one observation'),
  num_observations: integer('Observations of the peer'),
  city: orNull(text('City of the address')),
  region: orNull(text('Region of the address')),
  country: orNull(text('Country of the address, ISO 3166-1 alpha-2')),
  latitude: orNull(number('Degrees north; without a key to one decimal')),
  longitude: orNull(number('Degrees east; without a key to one decimal')),
  asn: orNull(text('Autonomous system of the address, such as AS24940')),
  asn_organization: orNull(text('Who runs it')),
  asn_type: orNull(text('What it is for: hosting, isp, business, education, government')),
  validators_estimate: orNull(number('Validators, from subnets and custody; null when only bounds are known')),
  validators_low: orNull(number('Lower bound of the 90 % interval')),
  validators_high: orNull(number('Upper bound of the 90 % interval; null when unbounded')),
  stake_eth_low: orNull(number('Least effective balance in ETH')),
  stake_eth_high: orNull(number('Largest effective balance in ETH; null when unbounded')),
  estimate_method: orNull(text('Method of the estimate columns')),
  estimate_flags: orNull(text(`Comma-separated: ${ESTIMATE_FLAGS.join(', ')}`)),
  estimate_observations: orNull(integer('Observations that the estimate rests on')),
  estimate_from_ms: orNull(unixMs('Oldest of them')),
  estimate_to_ms: orNull(unixMs('Newest of them')),
  first_seen: unixMs('Oldest observation'),
  custody_group_count: orNull(integer('Custody groups the node says it keeps')),
  fork_digest: orNull(text('4 bytes of hex')),
  direction: orNull(text('inbound or outbound')),
  transport: orNull(text('tcp or quic')),
};

const KEYED_PROPERTIES = {
  enr: orNull(text('Node record')),
  multiaddr: orNull(text('Address it was observed at')),
  ip: orNull(text('IP address')),
  port: orNull(integer('Port')),
  hostname: orNull(text('Reverse DNS name')),
  postal_code: orNull(text('Postal code of the address')),
  long_lived_subnets: {
    type: ['array', 'null'],
    items: { type: 'integer' },
    description: 'As its metadata lists them',
  },
  short_lived_subnets: {
    type: ['array', 'null'],
    items: { type: 'integer' },
    description: 'Others it was subscribed to in the newest observation',
  },
};

const FIGURES = {
  nodes: integer('Nodes'),
  validator_nodes: integer('Nodes that certainly or probably have validators'),
  nodes_without_estimate: integer('Nodes of which nothing tells how many validators they have; they count as none'),
  validators: number('Sum of the estimates, or of the lower bounds where there is no estimate'),
  validators_low: number('Lower bound of the 90 % interval, if the errors of nodes are independent'),
  validators_high: orNull(number('Upper bound; null when nothing bounds one of the nodes')),
  stake_eth_low: number('Sum of the least effective balances in ETH'),
  stake_eth_high: orNull(number('Sum of the largest effective balances in ETH')),
  published: number('Sum of the published rule'),
  fallback_nodes: integer(
    'Nodes that are probably fallbacks: same custody count, 9 to 127, in the same /24 as a node with at least its estimate',
  ),
  fallback_validators: number('Validators in the sum that are probably counted twice because of them'),
};

const ATTRIBUTIONS = list(
  object({
    text: text('Whom to name where places are shown, as the licences of the data ask'),
    url: text('Link to them'),
  }),
);

const SPAN = { from: unixMs('Peers last seen from here on'), to: unixMs('Peers last seen until here') };

const SCHEMAS = {
  Error: object({ error: text('What is wrong') }),
  Peer: object({ ...PUBLIC_PROPERTIES, ...KEYED_PROPERTIES }, Object.keys(PUBLIC_PROPERTIES)),
  Aggregates: object({
    by: { type: 'string', enum: DIMENSIONS },
    ...SPAN,
    cells: list(
      object({
        key: orNull(text('Value of the dimension; null when unknown; without a key, "other" for small cells together')),
        name: orNull(text('Organisation of an ASN')),
        ...FIGURES,
      }),
    ),
    attributions: ATTRIBUTIONS,
  }),
  Network: object({
    ...SPAN,
    active_validators: orNull(integer('Active validators of the network')),
    share_of_active: orNull(number('Estimated validators per active validator')),
    ...FIGURES,
    methods: list(
      object({
        method: { type: 'string', enum: METHODS },
        validators: number('Sum of its estimates'),
        nodes: integer('Nodes it has an estimate for'),
      }),
    ),
  }),
  History: object({ days: list(object({ day: text('YYYY-MM-DD, UTC'), ...FIGURES })) }),
  Calibration: object({
    ...SPAN,
    windows: list(
      object({
        client: text('Client'),
        nodes: integer('Nodes whose stake is known from their custody count'),
        left_out: integer('Nodes left out, most because their validators are compounding'),
        assumed_slots: number('Duty slots assumed to be visible at a time, on average'),
        calibrated_slots: number('The same as the nodes say'),
        low: number('Lower bound of the 90 % interval'),
        high: orNull(number('Upper bound')),
        source: text('Where the assumption comes from'),
      }),
    ),
  }),
  Geolocation: object({
    sources: list(text('Name of a source, in the order they are asked')),
    attributions: ATTRIBUTIONS,
    problems: list(text('A source that could not answer, and why')),
  }),
  Health: object({ status: text('ok') }),
  Readiness: object({ ready: { type: 'boolean' }, reasons: list({ type: 'string' }) }),
};

const query = (name: string, schema: Schema, description: string, required = false) => ({
  name,
  in: 'query',
  required,
  schema,
  description,
});
const RANGE = [
  query('from', { type: 'integer', minimum: 0 }, 'Only peers last seen at this Unix time in ms or later'),
  query('to', { type: 'integer', minimum: 0 }, 'Only peers last seen at this Unix time in ms or earlier'),
];

const answer = (description: string, schema: Schema) => ({
  description,
  content: { 'application/json': { schema } },
});
const REFUSALS = {
  400: answer('A parameter is wrong', named('Error')),
  401: answer('The key is not known', named('Error')),
};

/** A route that anyone may ask, and that tells the holder of a key more. */
const route = (summary: string, schema: Schema, parameters: readonly object[] = RANGE) => ({
  get: {
    summary,
    parameters,
    security: [{}, { apiKey: [] }],
    responses: { 200: answer('The answer', schema), ...REFUSALS },
  },
});
const openRoute = (summary: string, responses: object) => ({ get: { summary, responses } });

export const OPENAPI = {
  openapi: '3.1.0',
  info: {
    title: 'Valtrack',
    version: '1',
    description:
      'Beacon nodes of an Ethereum network, where they are, and how many validators stand behind them. Figures of the network are ' +
      'those of the day up to the newest observation unless from or to is given. Who shows places must name those whose data they are: ' +
      '/api/v1/geolocation says whom. Unless configured otherwise these are DB-IP (https://db-ip.com, CC BY 4.0) for places, and RouteViews, ' +
      'DB-IP and NRO through ip-location-db (CC BY 4.0) for AS numbers.',
  },
  paths: {
    '/validators': route('All peers', list(named('Peer'))),
    '/api/v1/aggregates': route('Nodes and validators by place or client', named('Aggregates'), [
      query('by', { type: 'string', enum: DIMENSIONS }, 'What to group by', true),
      ...RANGE,
    ]),
    '/api/v1/network': route('Totals of the network', named('Network')),
    '/api/v1/history': route('Totals at the end of each day', named('History')),
    '/api/v1/calibration': route('How far the assumed windows of the clients hold', named('Calibration')),
    '/api/v1/geolocation': openRoute('Where locations come from, and whom to name for them', {
      200: answer('The sources', named('Geolocation')),
    }),
    '/openapi.json': openRoute('This description', { 200: answer('OpenAPI 3.1', { type: 'object' }) }),
    '/healthz': openRoute('Whether the process lives', { 200: answer('It does', named('Health')) }),
    '/readyz': openRoute('Whether it does its work', {
      200: answer('It does', named('Readiness')),
      503: answer('It does not; the reasons say why', named('Readiness')),
    }),
    '/metrics': openRoute('Metrics for Prometheus', {
      200: { description: 'Text exposition format', content: { 'text/plain': { schema: { type: 'string' } } } },
    }),
  },
  components: {
    schemas: SCHEMAS,
    securitySchemes: { apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key' } },
  },
};
