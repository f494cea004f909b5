import type { GeolocationStatus } from '../../../src/io/http/geolocation.ts';

export const NO_GEOLOCATION: GeolocationStatus = { sources: [], attributions: [], problems: () => [] };
