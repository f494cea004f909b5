/** Where locations may come from, the most particular first: the order when nobody gives one. */
export const GEO_SOURCES = ['devnet', 'ip-metadata', 'mmdb', 'ipinfo', 'embedded', 'reverse-dns'] as const;
export type GeoSource = (typeof GEO_SOURCES)[number];
