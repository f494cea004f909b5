import type { Observable } from 'rxjs';

/** What kind of network an address belongs to; `business` is whoever runs a network for itself. */
export const ASN_TYPES = ['hosting', 'isp', 'business', 'education', 'government'] as const;
export type AsnType = (typeof ASN_TYPES)[number];

export interface Place {
  readonly city: string | null;
  readonly region: string | null;
  /** ISO 3166-1, two capital letters. */
  readonly country: string;
  /** Degrees; both or none. */
  readonly latitude: number | null;
  readonly longitude: number | null;
  readonly postalCode: string | null;
}

/** The autonomous system that announces an address. */
export interface AutonomousSystem {
  readonly asn: number;
  readonly organization: string | null;
  readonly type: AsnType | null;
}

/** What is known of an IP address. The parts come from different data; one part is always from one source. */
export interface Location {
  readonly place: Place | null;
  readonly network: AutonomousSystem | null;
  readonly hostname: string | null;
}

export const PARTS = ['place', 'network', 'hostname'] as const satisfies readonly (keyof Location)[];
export type Part = (typeof PARTS)[number];

export const NOWHERE: Location = { place: null, network: null, hostname: null };

/** Whom to name where the data is shown, as its licence asks. */
export interface Attribution {
  readonly text: string;
  readonly url: string;
}

/** One source of locations. */
export interface GeoLocator {
  readonly name: string;
  /** The parts it is asked for; what else it happens to know is taken when nobody better does. */
  readonly parts: readonly Part[];
  readonly attributions: readonly Attribution[];
  /** How long an answer holds, a miss included; `null` as long as `version` stays the same. */
  readonly maxAgeMs: number | null;
  /** Another text when the data has changed. A source that reads files looks whether they are new, and takes them. */
  version(): Promise<string>;
  /**
   * What the source knows, {@link NOWHERE} where that is nothing.
   * @throws LocatorUnavailableError when it cannot say now; anything when `signal` is aborted.
   */
  locate(ip: string, signal: AbortSignal): Promise<Location>;
  close(): Promise<void>;
}

/** A source cannot answer at the moment: an outage, a limit, a refused token. */
export class LocatorUnavailableError extends Error {
  override readonly name = 'LocatorUnavailableError';
  readonly retryAfterMs: number;
  constructor(message: string, retryAfterMs: number) {
    super(message);
    this.retryAfterMs = retryAfterMs;
  }
}

/** What all configured sources together say of one address. */
export interface Located {
  readonly location: Location;
  /** Names of the sources that a part came from. */
  readonly sources: readonly string[];
  /** Parts of which a source could not be asked: an earlier answer is better than what is here. */
  readonly provisional: readonly Part[];
  /** Of the sources that were asked; one of {@link GeoChain.validVersions} as long as the answer holds. */
  readonly version: string;
  /** How long the answer holds; `null` as long as the version is valid. */
  readonly maxAgeMs: number | null;
}

/** The configured sources, asked in their order. */
export interface GeoChain {
  readonly sources: readonly string[];
  readonly attributions: readonly Attribution[];
  /** Versions of answers that still hold; looks whether data have changed, which `locate` does not. */
  validVersions(): Promise<readonly string[]>;
  /** Emits once and completes; never errors but for a bug. Unsubscribing gives up. */
  locate(ip: string): Observable<Located>;
  /** What the sources lack, and of each that could not answer when it was last asked the reason. */
  problems(): readonly string[];
  close(): Promise<void>;
}
