/** What an offer and its answer agree that one direction needs (docs/SDP.md, offer and answer). Values only. */
import type { QualityNeed, QualityRange } from "../../../model/quality.js";
import type { QosHint } from "./description.js";
import { isBetter, JITTER, LATENCY, LOSS, RATE } from "./values.js";

const KINDS = { latency: LATENCY, jitter: JITTER, loss: LOSS, rate: RATE } as const;
export type NeedParameter = keyof QualityNeed;
export const NEED_PARAMETERS = ["latency", "jitter", "loss", "rate"] as const satisfies readonly NeedParameter[];

/** What the answer does with one parameter of the offer. */
export type NeedChange =
  /** The same range. */
  | "kept"
  /** Content with less than is wanted, and with no less than is acceptable. */
  | "loosened"
  /** At least as good in both values, and better in one. */
  | "tightened"
  /** Nothing is said of it any more. */
  | "declined"
  /** The offer said nothing of it, which any value satisfies. */
  | "added";

export type NeedChanges = Readonly<Partial<Record<NeedParameter, NeedChange>>>;

export type NeedAgreement =
  | {
      readonly kind: "agreed";
      /** Undefined where nothing is needed. */
      readonly need: QualityNeed | undefined;
      readonly changes: NeedChanges;
    }
  /** The answer would put up with less than the offerer accepts. */
  | {
      readonly kind: "outOfRange";
      readonly parameter: NeedParameter;
      readonly offered: QualityRange<number>;
      readonly answered: QualityRange<number>;
    };

type Ranges = { -readonly [K in NeedParameter]?: QualityRange<number> };

/** The answer's ranges, if the worst of each is no worse than the offer accepts. */
export function agreeNeed(offered: QualityNeed = {}, answered: QualityNeed = {}): NeedAgreement {
  const need: Ranges = {};
  const changes: Partial<Record<NeedParameter, NeedChange>> = {};
  for (const parameter of NEED_PARAMETERS) {
    const [before, after]: readonly (QualityRange<number> | undefined)[] = [offered[parameter], answered[parameter]];
    if (after === undefined) {
      if (before !== undefined) changes[parameter] = "declined";
      continue;
    }
    if (before !== undefined && isBetter(KINDS[parameter], before.worst, after.worst)) {
      return { kind: "outOfRange", parameter, offered: before, answered: after };
    }
    need[parameter] = after;
    changes[parameter] = before === undefined ? "added" : changeOf(parameter, before, after);
  }
  return { kind: "agreed", need: orNothing(need), changes };
}

/** @param after - no worse at its worst */
function changeOf(parameter: NeedParameter, before: QualityRange<number>, after: QualityRange<number>): NeedChange {
  if (isBetter(KINDS[parameter], before.wanted, after.wanted)) return "loosened";
  return before.wanted === after.wanted && before.worst === after.worst ? "kept" : "tightened";
}

/** A hint is a wish without a worst value, so none is outside a range; it asks for itself and nothing less. */
export function hintNeed(hint: QosHint | undefined): QualityNeed {
  const { latency, loss } = hint ?? {};
  return {
    ...(latency === undefined ? {} : { latency: { wanted: latency.whole, worst: latency.whole } }),
    ...(loss === undefined ? {} : { loss: { wanted: loss.whole, worst: loss.whole } }),
  };
}

/** Of latency, jitter and loss the stricter of both; of rates the larger. */
export function strictest(left: QualityNeed = {}, right: QualityNeed = {}): QualityNeed | undefined {
  const need: Ranges = {};
  for (const parameter of NEED_PARAMETERS) {
    const [one, other]: readonly (QualityRange<number> | undefined)[] = [left[parameter], right[parameter]];
    if (one === undefined || other === undefined) {
      const only = one ?? other;
      if (only !== undefined) need[parameter] = only;
      continue;
    }
    const better = (a: number, b: number) => (isBetter(KINDS[parameter], b, a) ? b : a);
    need[parameter] = { wanted: better(one.wanted, other.wanted), worst: better(one.worst, other.worst) };
  }
  return orNothing(need);
}

/** @param need - each range in its own unit, as it was read */
const orNothing = (need: Ranges): QualityNeed | undefined =>
  Object.keys(need).length === 0 ? undefined : (need as QualityNeed);
