import type { Reach } from './kinds.ts';
import type { Random } from './random.ts';

/** Where simulated nodes stand: data centres and homes where real ones are common. */
export interface Place {
  readonly city: string;
  readonly region: string;
  /** ISO 3166-1, two letters. */
  readonly country: string;
  /** Degrees. */
  readonly latitude: number;
  readonly longitude: number;
  readonly postal_code: string;
  readonly asn: number;
}

type Row = readonly [
  weight: number,
  city: string,
  region: string,
  country: string,
  latitude: number,
  longitude: number,
  postalCode: string,
  asn: number,
];

const ROWS: readonly Row[] = [
  [16, 'Ashburn', 'Virginia', 'US', 39.04, -77.49, '20147', 14618],
  [12, 'Falkenstein', 'Saxony', 'DE', 50.48, 12.37, '08223', 24940],
  [8, 'Helsinki', 'Uusimaa', 'FI', 60.17, 24.94, '00100', 24940],
  [8, 'Frankfurt am Main', 'Hesse', 'DE', 50.11, 8.68, '60313', 16509],
  [6, 'Dublin', 'Leinster', 'IE', 53.35, -6.26, 'D02', 16509],
  [6, 'Portland', 'Oregon', 'US', 45.52, -122.68, '97201', 16509],
  [6, 'New York', 'New York', 'US', 40.71, -74.01, '10001', 701],
  [5, 'Los Angeles', 'California', 'US', 34.05, -118.24, '90012', 20001],
  [6, 'Paris', 'Île-de-France', 'FR', 48.86, 2.35, '75001', 16276],
  [5, 'London', 'England', 'GB', 51.51, -0.13, 'SW1A', 2856],
  [4, 'Amsterdam', 'North Holland', 'NL', 52.37, 4.9, '1012', 14061],
  [4, 'Berlin', 'Berlin', 'DE', 52.52, 13.41, '10115', 3320],
  [4, 'Toronto', 'Ontario', 'CA', 43.65, -79.38, 'M5H', 577],
  [4, 'Singapore', 'Singapore', 'SG', 1.29, 103.85, '048616', 16509],
  [3, 'Tokyo', 'Tokyo', 'JP', 35.68, 139.69, '100-0001', 2516],
  [3, 'Sydney', 'New South Wales', 'AU', -33.87, 151.21, '2000', 1221],
];

const ZURICH: Row = [0, 'Zurich', 'Zurich', 'CH', 47.37, 8.54, '8001', 13030];

/** The nodes with IPv6 share one address, ::1, and those behind NAT dial from one, 127.0.0.1; where that is, all of them are. */
const SHARED: Readonly<Partial<Record<Reach, Row>>> = {
  'dual-stack': ZURICH,
  'ipv6-only': ZURICH,
  nat: [0, 'Stockholm', 'Stockholm', 'SE', 59.33, 18.07, '111 20', 8473],
};

export function drawPlace(random: Random, reach: Reach): Place {
  // Drawn even if it is not needed, so that what is drawn next does not depend on the reach.
  let remaining = random() * ROWS.reduce((sum, [weight]) => sum + weight, 0);
  const chosen = ROWS.find(([weight]) => {
    remaining -= weight;
    return remaining < 0;
  });
  const [, city, region, country, latitude, longitude, postalCode, asn] = SHARED[reach] ?? chosen ?? ZURICH;
  return { city, region, country, latitude, longitude, postal_code: postalCode, asn };
}
