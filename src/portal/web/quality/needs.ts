/** What a session asks of the network, as the page holds it: plain numbers in the units of the SDP attributes (docs/SDP.md). */

/** Wanted, and the worst that is still of use. */
export interface NeedRange {
  readonly wanted: number;
  readonly worst: number;
}

/** One direction of a medium. Latency and jitter in ms, loss 0 to 1, rate in kbit/s at layer 3. */
export interface Needs {
  readonly latency?: NeedRange;
  readonly jitter?: NeedRange;
  readonly loss?: NeedRange;
  readonly rate?: NeedRange;
}

/** As docs/SDP.md names them. */
export const PARAMETERS = ["latency", "jitter", "loss", "rate"] as const;
export type Parameter = (typeof PARAMETERS)[number];

/** The least that is required of a medium, the loosest first. */
export const SECURITY_LEVELS = ["none", "srtp", "dtls"] as const;
export type Security = (typeof SECURITY_LEVELS)[number];

/** What one m= line says; directions as seen by the sender of the description. */
export interface MediumQuality {
  readonly sessionClass?: string;
  readonly security?: Security;
  readonly send?: Needs;
  readonly recv?: Needs;
}

/** Of m= lines. */
export const MEDIUM_KINDS = ["audio", "video", "application"] as const;
export type MediumKind = (typeof MEDIUM_KINDS)[number];

/** What a side says of each kind of medium; a kind that is absent is asked nothing for. */
export type SessionQuality = Partial<Readonly<Record<MediumKind, MediumQuality>>>;

/** The same both ways. */
export const bothWays = (needs: Needs, rest: Omit<MediumQuality, "send" | "recv">): MediumQuality => ({
  ...rest,
  send: needs,
  recv: needs,
});

/** Whether `left` is stricter than `right`: of a rate more, of all else less. */
export const isStricter = (parameter: Parameter, left: number, right: number): boolean =>
  parameter === "rate" ? left > right : left < right;

/** The stricter of two values. */
export const stricter = (parameter: Parameter, left: number, right: number): number =>
  isStricter(parameter, left, right) ? left : right;
