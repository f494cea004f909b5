import type { Random } from './random.ts';

/** Where simulated nodes stand: data centres and homes where real ones are common. */
export interface Place {
  readonly city: string;
  /** ISO 3166-1, two letters. */
  readonly country: string;
  readonly asn: number;
}

const PLACES: readonly (Place & { readonly weight: number })[] = [
  { city: 'Ashburn', country: 'US', asn: 14618, weight: 16 },
  { city: 'Falkenstein', country: 'DE', asn: 24940, weight: 12 },
  { city: 'Helsinki', country: 'FI', asn: 24940, weight: 8 },
  { city: 'Frankfurt am Main', country: 'DE', asn: 16509, weight: 8 },
  { city: 'Dublin', country: 'IE', asn: 16509, weight: 6 },
  { city: 'Portland', country: 'US', asn: 16509, weight: 6 },
  { city: 'New York', country: 'US', asn: 701, weight: 6 },
  { city: 'Los Angeles', country: 'US', asn: 20001, weight: 5 },
  { city: 'Paris', country: 'FR', asn: 16276, weight: 6 },
  { city: 'London', country: 'GB', asn: 2856, weight: 5 },
  { city: 'Amsterdam', country: 'NL', asn: 14061, weight: 4 },
  { city: 'Berlin', country: 'DE', asn: 3320, weight: 4 },
  { city: 'Toronto', country: 'CA', asn: 577, weight: 4 },
  { city: 'Singapore', country: 'SG', asn: 16509, weight: 4 },
  { city: 'Tokyo', country: 'JP', asn: 2516, weight: 3 },
  { city: 'Sydney', country: 'AU', asn: 1221, weight: 3 },
];

export function drawPlace(random: Random): Place {
  let remaining = random() * PLACES.reduce((sum, place) => sum + place.weight, 0);
  const chosen = PLACES.find((place) => {
    remaining -= place.weight;
    return remaining < 0;
  });
  const { city, country, asn } = chosen ?? (PLACES[0] as Place);
  return { city, country, asn };
}
