/**
 * The deaggregator's end of one aggregate, RFC 3175 §1.4.12 and §2.6: it turns the aggregator's Path around with a
 * Resv of that size, and learns by confirmation or error what the way between them grants. Pure. Sizes are octets per
 * second at the IP layer.
 *
 *   none ── Path ──> asked ── confirmed ──> confirmed ── Path of another size ──> asked
 *                      └── refused ──> failed, with what was granted before kept
 *
 * A refusal is told to the aggregator, which would otherwise wait for its time-out.
 */
import type { BytesPerSecond, Millis } from "../../model/units.js";
import { ERROR_FLAG } from "../codec/codes.js";
import type { ErroredFlows, FlowDescriptors } from "../codec/message.js";
import type { ErrorSpec, Flowspec, TokenBucket } from "../codec/objects.js";
import type { AggregateFailure, AggregateRules } from "./aggregate.js";
import type { Notice } from "./events.js";
import { bandwidthOf, flowspecEqual, largestOf, shrinkTo } from "./flowspec-algebra.js";

export type DeaggregatorState =
  | { readonly phase: "none" }
  | { readonly phase: "asked"; readonly wanted: Flowspec; readonly kept?: Flowspec }
  | { readonly phase: "confirmed"; readonly wanted: Flowspec; readonly kept: Flowspec }
  | {
      readonly phase: "failed";
      readonly wanted: Flowspec;
      readonly failure: AggregateFailure;
      readonly kept?: Flowspec;
    };

export type DeaggregatorEvent =
  /** A notice about the aggregate's session that concerns this aggregator. */
  { readonly type: "notice"; readonly notice: Notice } | { readonly type: "timeout" };

export type DeaggregatorAction =
  /** A call of the node: `reserve` for the aggregator with a confirmation if `confirm`, or `release`. */
  | { readonly do: "reserve"; readonly flowspec: Flowspec; readonly confirm: boolean }
  | { readonly do: "release" }
  /** A call of the node: `complain` to the aggregator. */
  | { readonly do: "complain"; readonly error: ErrorSpec }
  /** Replaces an armed timer. */
  | { readonly do: "arm"; readonly delay: Millis }
  | { readonly do: "cancel" }
  | { readonly do: "confirmed"; readonly size: BytesPerSecond }
  | { readonly do: "refused"; readonly failure: AggregateFailure; readonly kept: BytesPerSecond }
  /** Less is reserved than was confirmed; 0 for nothing. */
  | { readonly do: "takenBack"; readonly size: BytesPerSecond }
  | { readonly do: "ignore"; readonly what: string };

export interface DeaggregatorStep {
  readonly state: DeaggregatorState;
  readonly actions: readonly DeaggregatorAction[];
}

export const DEAGGREGATOR_INITIAL: DeaggregatorState = { phase: "none" };

const NOTHING = 0 as BytesPerSecond;

/** @param ceiling - the most that is reserved whatever the Path says */
export function deaggregatorStep(
  rules: AggregateRules,
  ceiling: BytesPerSecond,
  state: DeaggregatorState,
  event: DeaggregatorEvent,
): DeaggregatorStep {
  switch (event.type) {
    case "timeout":
      return onTimeout(rules, state);
    case "notice":
      return onNotice(rules, ceiling, state, event.notice);
  }
}

const ignore = (state: DeaggregatorState, what: string): DeaggregatorStep => ({
  state,
  actions: [{ do: "ignore", what }],
});

type Refused = Extract<AggregateFailure, { kind: "error" }>;

const keptIn = (state: DeaggregatorState): Flowspec | undefined => (state.phase === "none" ? undefined : state.kept);

function onNotice(
  rules: AggregateRules,
  ceiling: BytesPerSecond,
  state: DeaggregatorState,
  notice: Notice,
): DeaggregatorStep {
  switch (notice.what) {
    case "pathArrived":
      return onPath(rules, ceiling, state, notice.sender.tspec);
    case "pathLost":
      return onPathLost(state);
    case "confirmed":
      return onConfirmed(state, notice.flows);
    case "refused":
      return onRefused(rules, state, notice.error, notice.flows);
    case "preempted":
      return onPreempted(rules, state, notice.granted);
    case "reserved":
    case "unreserved":
    case "pathError":
      return ignore(state, `${notice.what} is for a sender`);
  }
}

function onPath(
  rules: AggregateRules,
  ceiling: BytesPerSecond,
  state: DeaggregatorState,
  tspec: TokenBucket,
): DeaggregatorStep {
  const full: Flowspec = { kind: "controlledLoad", tspec };
  const wanted = tspec.rate > ceiling ? shrinkTo(full, ceiling) : full;
  if (wanted === undefined) return ignore(state, "Path for an aggregate that may have no size");
  if (state.phase !== "none" && state.phase !== "failed" && flowspecEqual(state.wanted, wanted))
    return ignore(state, "Path of the same size");
  return ask(rules, wanted, keptIn(state));
}

function ask(rules: AggregateRules, wanted: Flowspec, kept: Flowspec | undefined): DeaggregatorStep {
  return {
    state: { phase: "asked", wanted, ...(kept === undefined ? {} : { kept }) },
    actions: [
      // RFC 3175 §2.6: the confirmation says that the way up to the aggregator has granted it.
      { do: "reserve", flowspec: wanted, confirm: true },
      { do: "arm", delay: rules.answerTimeout },
    ],
  };
}

/** The reservation went with the path state; nothing is left to release. */
function onPathLost(state: DeaggregatorState): DeaggregatorStep {
  if (state.phase === "none") return ignore(state, "loss of an unknown path");
  const lost = state.kept === undefined ? [] : [{ do: "takenBack", size: NOTHING } as const];
  return { state: { phase: "none" }, actions: [{ do: "cancel" }, ...lost] };
}

function onConfirmed(state: DeaggregatorState, flows: FlowDescriptors): DeaggregatorStep {
  if (state.phase !== "asked") return ignore(state, `confirmation when ${state.phase}`);
  // An answer to an earlier question may still be on its way.
  if (largestOf(flows) < bandwidthOf(state.wanted)) return ignore(state, "confirmation of another size");
  return {
    state: { phase: "confirmed", wanted: state.wanted, kept: state.wanted },
    actions: [{ do: "cancel" }, { do: "confirmed", size: bandwidthOf(state.wanted) }],
  };
}

function onRefused(
  rules: AggregateRules,
  state: DeaggregatorState,
  error: ErrorSpec,
  flows: ErroredFlows,
): DeaggregatorStep {
  const failed = "flowspec" in flows && flows.flowspec?.kind !== "opaque" ? flows.flowspec : undefined;
  if (state.phase !== "none" && failed !== undefined && bandwidthOf(failed) !== bandwidthOf(state.wanted)) {
    // An answer to an earlier question may still be on its way; RFC 2205 §A.5 calls a larger one NotGuilty.
    return ignore(state, "refusal of another size");
  }
  const failure: Refused = { kind: "error", error };
  const inPlace = (error.flags & ERROR_FLAG.inPlace) !== 0;
  switch (state.phase) {
    case "none":
    case "failed":
      return ignore(state, `refusal when ${state.phase}`);
    case "asked":
      if (inPlace && state.kept !== undefined) return fallBack(state.wanted, state.kept, failure);
      return lose(rules, state, failure);
    case "confirmed":
      // RFC 2205 §3.1.8: the disruption of what was granted, or of a part of it that is still in place.
      return inPlace ? ignore(state, "refusal of what is in place") : lose(rules, state, failure);
  }
}

/** RFC 2205 §3.1.8: the increase failed and the reservation of before is in place; asking for it ends the errors. */
function fallBack(wanted: Flowspec, kept: Flowspec, failure: Refused): DeaggregatorStep {
  return {
    state: { phase: "failed", wanted, failure, kept },
    actions: [
      { do: "cancel" },
      { do: "reserve", flowspec: kept, confirm: false },
      { do: "complain", error: failure.error },
      { do: "refused", failure, kept: bandwidthOf(kept) },
    ],
  };
}

function lose(
  rules: AggregateRules,
  state: Extract<DeaggregatorState, { phase: "asked" | "confirmed" }>,
  failure: Refused,
): DeaggregatorStep {
  const lost: DeaggregatorAction =
    state.phase === "confirmed" ? { do: "takenBack", size: NOTHING } : { do: "refused", failure, kept: NOTHING };
  const { error } = failure;
  return {
    state: { phase: "failed", wanted: state.wanted, failure },
    actions: [{ do: "release" }, { do: "complain", error }, { do: "arm", delay: rules.retryAfter }, lost],
  };
}

/** RFC 4495 §5.4: the answer is a Resv of at most what is left. */
function onPreempted(rules: AggregateRules, state: DeaggregatorState, granted: Flowspec): DeaggregatorStep {
  if (state.phase === "none") return ignore(state, "preemption of nothing");
  const { kept = state.wanted } = state;
  const left = bandwidthOf(granted) < bandwidthOf(kept) ? granted : kept;
  const reduced = state.kept !== undefined && left === granted;
  return {
    state: { phase: "asked", wanted: left, ...(state.kept === undefined ? {} : { kept: left }) },
    actions: [
      { do: "reserve", flowspec: left, confirm: true },
      { do: "arm", delay: rules.answerTimeout },
      ...(reduced ? [{ do: "takenBack", size: bandwidthOf(left) } as const] : []),
    ],
  };
}

function onTimeout(rules: AggregateRules, state: DeaggregatorState): DeaggregatorStep {
  switch (state.phase) {
    case "asked":
      // RFC 2205 §2.6: confirmations are not reliable. The question again.
      return ask(rules, state.wanted, state.kept);
    case "failed":
      return state.kept === undefined ? ask(rules, state.wanted, undefined) : ignore(state, "timeout when failed");
    case "none":
    case "confirmed":
      return ignore(state, `timeout when ${state.phase}`);
  }
}
