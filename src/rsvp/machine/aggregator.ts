/**
 * The aggregator's end of one aggregate, RFC 3175 §2.4. Without end-to-end RSVP (§1.4.12) its Path says the size
 * that is wanted, and the deaggregator's Resv is the answer. Pure. Sizes are octets per second at the IP layer.
 *
 *   none ── want ──> pathSent ── reserved ──> confirmed ── want ──> resizing ── reserved ──> confirmed
 *                       └── timeout, error ──> failed                  └── timeout, error ──> failed(kept)
 *
 * An error names the TSpec of the Path that it is about: one about an earlier Path says nothing of this one.
 */
import type { BytesPerSecond, Millis } from "../../model/units.js";
import { RSVP_ERROR } from "../codec/codes.js";
import type { FlowDescriptors } from "../codec/message.js";
import type { ErrorSpec, Flowspec, TokenBucket } from "../codec/objects.js";
import type { AggregateFailure, AggregateRules } from "./aggregate.js";
import type { Notice } from "./events.js";
import { largestOf, shrinkTo, tspecEqual } from "./flowspec-algebra.js";

/** What is reserved: the TSpec of the Path that it answers, and how much of it. */
export interface Held {
  readonly tspec: TokenBucket;
  readonly size: BytesPerSecond;
}

export type AggregatorState =
  | { readonly phase: "none" }
  | { readonly phase: "pathSent"; readonly wanted: TokenBucket }
  | { readonly phase: "confirmed"; readonly held: Held }
  | { readonly phase: "resizing"; readonly from: Held; readonly to: TokenBucket }
  | { readonly phase: "failed"; readonly failure: AggregateFailure; readonly kept?: Held };

export type AggregatorEvent =
  /** Without a TSpec the aggregate is given up. */
  | { readonly type: "want"; readonly tspec?: TokenBucket }
  /** A notice about the aggregate's session; of reservations only the part of this aggregator. */
  | { readonly type: "notice"; readonly notice: Notice }
  | { readonly type: "timeout" };

export type AggregatorAction =
  /** Calls of the node: `open` with this TSpec, or `close`. */
  | { readonly do: "open"; readonly tspec: TokenBucket }
  | { readonly do: "close" }
  /** Replaces an armed timer. */
  | { readonly do: "arm"; readonly delay: Millis }
  | { readonly do: "cancel" }
  | { readonly do: "confirmed"; readonly size: BytesPerSecond }
  | { readonly do: "refused"; readonly failure: AggregateFailure; readonly kept: BytesPerSecond }
  /** Less is reserved than was confirmed; 0 for nothing. */
  | { readonly do: "takenBack"; readonly size: BytesPerSecond }
  | { readonly do: "ignore"; readonly what: string };

export interface AggregatorStep {
  readonly state: AggregatorState;
  readonly actions: readonly AggregatorAction[];
}

export const AGGREGATOR_INITIAL: AggregatorState = { phase: "none" };

const NOTHING = 0 as BytesPerSecond;

export function aggregatorStep(rules: AggregateRules, state: AggregatorState, event: AggregatorEvent): AggregatorStep {
  switch (event.type) {
    case "want":
      return event.tspec === undefined ? giveUp(state) : want(rules, state, event.tspec);
    case "timeout":
      return fail(state, { kind: "timeout" });
    case "notice":
      return onNotice(rules, state, event.notice);
  }
}

const ignore = (state: AggregatorState, what: string): AggregatorStep => ({ state, actions: [{ do: "ignore", what }] });

/** What is reserved now. */
function heldIn(state: AggregatorState): Held | undefined {
  switch (state.phase) {
    case "none":
    case "pathSent":
      return undefined;
    case "confirmed":
      return state.held;
    case "resizing":
      return state.from;
    case "failed":
      return state.kept;
  }
}

function giveUp(state: AggregatorState): AggregatorStep {
  if (state.phase === "none") return ignore(state, "nothing to give up");
  return { state: { phase: "none" }, actions: [{ do: "cancel" }, { do: "close" }] };
}

function want(rules: AggregateRules, state: AggregatorState, tspec: TokenBucket): AggregatorStep {
  const held = heldIn(state);
  const actions: AggregatorAction[] = [
    { do: "open", tspec },
    { do: "arm", delay: rules.answerTimeout },
  ];
  if (held === undefined) return { state: { phase: "pathSent", wanted: tspec }, actions };
  return { state: { phase: "resizing", from: held, to: tspec }, actions };
}

/** The Path goes back to what is reserved, so that a later want is a change that the deaggregator sees. */
function fail(state: AggregatorState, failure: AggregateFailure): AggregatorStep {
  switch (state.phase) {
    case "pathSent":
      return {
        state: { phase: "failed", failure },
        actions: [{ do: "cancel" }, { do: "close" }, { do: "refused", failure, kept: NOTHING }],
      };
    case "resizing":
      return {
        state: { phase: "failed", failure, kept: state.from },
        actions: [
          { do: "cancel" },
          { do: "open", tspec: state.from.tspec },
          { do: "refused", failure, kept: state.from.size },
        ],
      };
    case "confirmed": {
      // A part was taken for the answer, such as one to an earlier Path; the rest is what failed.
      const { tspec, size } = state.held;
      if (failure.kind === "timeout" || size >= tspec.rate) return ignore(state, `${failure.kind} when confirmed`);
      const kept = { tspec: shrunk(tspec, size), size };
      return {
        state: { phase: "failed", failure, kept },
        actions: [
          { do: "open", tspec: kept.tspec },
          { do: "refused", failure, kept: size },
        ],
      };
    }
    case "none":
    case "failed":
      return ignore(state, `${failure.kind} when ${state.phase}`);
  }
}

function onNotice(rules: AggregateRules, state: AggregatorState, notice: Notice): AggregatorStep {
  switch (notice.what) {
    case "reserved":
      return onReserved(state, notice.flows);
    case "unreserved":
      return onUnreserved(rules, state);
    case "pathError":
      // RFC 3175 §3.2: this one is no error, and it is about an end-to-end session.
      if (notice.error.code === RSVP_ERROR.newAggregateNeeded) return ignore(state, "NEW-AGGREGATE-NEEDED");
      return onPathError(state, notice.error, notice.sender.tspec);
    case "pathArrived":
    case "pathLost":
    case "confirmed":
    case "refused":
    case "preempted":
      return ignore(state, `${notice.what} is for a receiver`);
  }
}

/** RFC 2205 §3.1.7: changes no state on its way; it is the answer to what was asked for. */
function onPathError(state: AggregatorState, error: ErrorSpec, about: TokenBucket | undefined): AggregatorStep {
  const asked = askedIn(state);
  if (asked !== undefined && about !== undefined && !tspecEqual(about, asked)) {
    return ignore(state, "error about an earlier Path");
  }
  return fail(state, { kind: "error", error });
}

/** What the Path says that has no whole answer yet. */
function askedIn(state: AggregatorState): TokenBucket | undefined {
  switch (state.phase) {
    case "pathSent":
      return state.wanted;
    case "resizing":
      return state.to;
    case "confirmed":
      return state.held.size < state.held.tspec.rate ? state.held.tspec : undefined;
    case "none":
    case "failed":
      return undefined;
  }
}

/** RFC 3175 §2.4: a reservation is never larger than the Path's TSpec. */
function sizeOf(flows: FlowDescriptors, tspec: TokenBucket): BytesPerSecond {
  return Math.min(largestOf(flows), tspec.rate) as BytesPerSecond;
}

function onReserved(state: AggregatorState, flows: FlowDescriptors): AggregatorStep {
  switch (state.phase) {
    case "none":
      return ignore(state, "reservation without a Path");
    case "pathSent": {
      // Whatever comes first is what there is: the deaggregator may grant less than was wanted.
      return confirm({ tspec: state.wanted, size: sizeOf(flows, state.wanted) });
    }
    case "resizing": {
      const size = sizeOf(flows, state.to);
      // More than before, if not all, is the deaggregator's decision (RFC 3175 §2.6).
      if (size >= state.to.rate || size > state.from.size) return confirm({ tspec: state.to, size });
      // Still the reservation of before, or less of it.
      const before = sizeOf(flows, state.from.tspec);
      if (before >= state.from.size) return ignore(state, "reservation as before");
      return {
        state: { ...state, from: { ...state.from, size: before } },
        actions: [{ do: "takenBack", size: before }],
      };
    }
    case "confirmed":
      return settle(state.held, flows, state);
    case "failed":
      if (state.kept === undefined) return ignore(state, "reservation after the Path was torn");
      return settle(state.kept, flows, state);
  }
}

function confirm(held: Held): AggregatorStep {
  return {
    state: { phase: "confirmed", held },
    actions: [{ do: "cancel" }, { do: "confirmed", size: held.size }],
  };
}

/** A change that nobody here asked for: RFC 4495 §5.4, or the deaggregator's own decision (RFC 3175 §1.4.4). */
function settle(held: Held, flows: FlowDescriptors, state: AggregatorState): AggregatorStep {
  const size = sizeOf(flows, held.tspec);
  if (size === held.size) return ignore(state, "reservation as before");
  if (size > held.size) return confirm({ ...held, size });
  const tspec = shrunk(held.tspec, size);
  return {
    state: { phase: "confirmed", held: { tspec, size } },
    actions: [
      { do: "takenBack", size },
      { do: "open", tspec },
    ],
  };
}

function shrunk(tspec: TokenBucket, size: BytesPerSecond): TokenBucket {
  const flowspec: Flowspec = { kind: "controlledLoad", tspec };
  return (size < tspec.rate ? shrinkTo(flowspec, size) : flowspec)?.tspec ?? tspec;
}

function onUnreserved(rules: AggregateRules, state: AggregatorState): AggregatorStep {
  const held = heldIn(state);
  if (held === undefined) return ignore(state, "nothing is reserved");
  // The Path stays: soft state may bring the reservation back.
  const wanted = state.phase === "resizing" ? state.to : held.tspec;
  return {
    state: { phase: "pathSent", wanted },
    actions: [
      { do: "takenBack", size: NOTHING },
      { do: "arm", delay: rules.answerTimeout },
    ],
  };
}
