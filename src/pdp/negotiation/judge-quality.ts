/** Whether the path of a flow's pool keeps what the flow needs of it. Pure. */
import type { Refusal } from "../../model/decision.js";
import type { FlowDirection } from "../../model/flow.js";
import type { PathQuality, QualityNeed, QualityRange } from "../../model/quality.js";
import type { PathQualitySource } from "./path-quality.js";
import type { ClassBudget } from "./session-class.js";

/** What becomes of needs that no measurement can be held against, and no class promises. */
export type UnmeasuredRule = "allow" | "refuse";

export interface QualityQuestion {
  readonly pool: string;
  readonly direction: FlowDirection;
  readonly need: QualityNeed | undefined;
  /** What counts where nobody measures. */
  readonly promise: ClassBudget | undefined;
}

export type QualityVerdict =
  | {
      readonly admitted: true;
      /** `reduced`: worse than wanted, and still acceptable. */
      readonly result: "granted" | "reduced";
      /** Absent as well where no packet comes back: then there is no figure to tell. */
      readonly measured: PathQuality | undefined;
    }
  | Refusal;

/** What a path has, and a need or a class may name. */
export const QUANTITIES = ["latency", "jitter", "loss"] as const;
type Quantity = (typeof QUANTITIES)[number];

type Judgement = "granted" | "reduced" | { readonly fault: string };

export function judgeQuality(
  source: PathQualitySource,
  unmeasured: UnmeasuredRule,
  question: QualityQuestion,
): QualityVerdict {
  const { pool, direction } = question;
  const measured = source.of(pool, direction);
  let result: "granted" | "reduced" = "granted";
  for (const quantity of QUANTITIES) {
    const range = question.need?.[quantity];
    if (range === undefined) continue;
    const judgement =
      measured === undefined
        ? byPromise(question, { quantity, range, unmeasured })
        : byMeasurement(question, { quantity, range, value: measured[quantity] });
    if (typeof judgement === "object") {
      return { admitted: false, reason: "qualityUnavailable", text: judgement.fault, pool };
    }
    if (judgement === "reduced") result = "reduced";
  }
  return { admitted: true, result, measured: measured !== undefined && isDead(measured) ? undefined : measured };
}

/** Measured, and nothing comes back: times have no end. */
const isDead = ({ latency, jitter }: PathQuality): boolean => !Number.isFinite(latency) || !Number.isFinite(jitter);

function within({ wanted, worst }: QualityRange<number>, value: number): "granted" | "reduced" | undefined {
  if (value <= wanted) return "granted";
  return value <= worst ? "reduced" : undefined;
}

function byMeasurement(
  { pool, direction }: QualityQuestion,
  { quantity, range, value }: { quantity: Quantity; range: QualityRange<number>; value: number },
): Judgement {
  const kept = within(range, value);
  if (kept !== undefined) return kept;
  const way = direction === "up" ? "from" : "into";
  const found = Number.isFinite(value) ? write(quantity, value) : "no packet comes back";
  const fault = `${quantity} of at most ${write(quantity, range.worst)} is needed; measured in pool ${pool} ${way} this network: ${found}`;
  return { fault };
}

function byPromise(
  { pool, promise }: QualityQuestion,
  { quantity, range, unmeasured }: { quantity: Quantity; range: QualityRange<number>; unmeasured: UnmeasuredRule },
): Judgement {
  if (unmeasured === "allow") return "granted";
  const promised = promise?.[quantity];
  const kept = promised === undefined ? undefined : within(range, promised);
  if (kept !== undefined) return kept;
  const instead = promised === undefined ? "no class promises it" : `the class promises ${write(quantity, promised)}`;
  const fault = `${quantity} of at most ${write(quantity, range.worst)} is needed; nobody measures pool ${pool}, and ${instead}`;
  return { fault };
}

function write(quantity: Quantity, value: number): string {
  const short = (figure: number): string => String(Number(figure.toPrecision(4)));
  return quantity === "loss" ? `${short(value * 100)} %` : `${short(value)} ms`;
}

/** As sentences have it. */
export const describeQuality = (quality: PathQuality): string =>
  QUANTITIES.map((quantity) => `${quantity} ${write(quantity, quality[quantity])}`).join(", ");

/** In every quantity the worse of both. */
export const worseOf = (one: PathQuality, other: PathQuality): PathQuality => ({
  latency: one.latency > other.latency ? one.latency : other.latency,
  jitter: one.jitter > other.jitter ? one.jitter : other.jitter,
  loss: Math.max(one.loss, other.loss),
});
