/** What is plotted of a game's two connections. */

export const MEASURES = ["roundTrip", "jitter", "lossIn"] as const;
export type Measure = (typeof MEASURES)[number];

/** The latest of each; undefined where nothing was measured. */
export interface Figures {
  readonly assured: Readonly<Record<Measure, number | undefined>>;
  readonly bestEffort: Readonly<Record<Measure, number | undefined>>;
}
