/**
 * One reservation at the PEP, RFC 2749 §3.3 and §3.5: approved by the PDP, then admitted by local traffic control, then
 * committed. Pure; what is asked for is the caller's (`Ask`), known here by its number alone.
 *
 *   ask ── REQ ──> Install ── local admission ──> in force, RPT commit
 *                    │               └── refused ──> RPT no-commit, back to what was in force, or DRQ
 *                    ├── Remove ──> refused; back to what was in force, or DRQ
 *                    └── no decision ──> the local policy (LPDP) decides
 *   in force ── unsolicited Remove, or Remove when it was said again ──> taken away, DRQ
 */
import { REASON } from "../codec/codes.js";
import type { RsvpObjectOctets } from "./objects.js";
import type { RsvpVerdict } from "./verdict.js";

/** What the local policy (LPDP) does about new reservations that nobody decides, and then about those that are there. */
export type OnLoss = "accept" | "keep" | "reject";

export interface LocalPolicy {
  /** `accept`: new ones by local admission alone. `keep`, `reject`: none. What was admitted stays; with `reject` for a time. */
  readonly onLoss: OnLoss;
}

export interface Numbered {
  readonly id: number;
}

export interface RequestState<Ask extends Numbered> {
  /** Admitted by everybody: what the PEP has reserved. */
  readonly inForce: Ask | undefined;
  /** A REQ without decision. */
  readonly asking: Asking<Ask> | undefined;
  /** To be asked after that. */
  readonly next: Wanted<Ask> | undefined;
  /** With local traffic control, which has not answered yet. */
  readonly installing: Installing<Ask> | undefined;
  /** Whether the PDP has decided on a state of this handle. */
  readonly known: boolean;
  /** Of the last REQ. */
  readonly serial: number;
}

interface Wanted<Ask> {
  readonly ask: Ask;
  /** Whether somebody waits to hear if it is admitted; otherwise it is in force. */
  readonly waits: boolean;
}

interface Asking<Ask> extends Wanted<Ask> {
  readonly serial: number;
  /** What is wanted by now is something else. */
  readonly stale: boolean;
}

interface Installing<Ask> {
  readonly ask: Ask;
  readonly by: "server" | "local" | "reduction";
}

export type RequestEvent<Ask> =
  /** `reduction`: not more than what is in force, which local traffic control never refuses. */
  | { readonly type: "ask"; readonly ask: Ask; readonly reduction: boolean }
  | { readonly type: "decided"; readonly serial: number; readonly verdict: RsvpVerdict }
  /** No decision: no connection, none in time. */
  | { readonly type: "undecided"; readonly serial: number }
  | { readonly type: "unsolicited"; readonly verdict: RsvpVerdict }
  /** Local traffic control's answer. */
  | { readonly type: "local"; readonly id: number; readonly admitted: boolean }
  /** RFC 2748 §3.5. */
  | { readonly type: "synchronize" }
  /** Time to tell the PDP what it does not know. */
  | { readonly type: "retry" }
  /** The connection, or the handle, is gone. */
  | { readonly type: "lost" }
  /** The PDP has been away for longer than its decisions may be used (§3.5). */
  | { readonly type: "expired" }
  /** Nobody wants the reservation any more. */
  | { readonly type: "end" };

/** Why a reservation is refused or taken away. */
export type DenialCause =
  | { readonly by: "server"; readonly objects: readonly RsvpObjectOctets[] }
  | { readonly by: "localPolicy" }
  | { readonly by: "unsupportedDecision"; readonly classes: readonly number[] };

export type RequestAction<Ask> =
  /** `held`: it is in force, so that an LPDPDecision goes with it (§3.5). */
  | { readonly do: "request"; readonly serial: number; readonly ask: Ask; readonly held: boolean }
  | { readonly do: "delete"; readonly reason: number }
  | { readonly do: "report"; readonly success: boolean }
  | { readonly do: "install"; readonly ask: Ask }
  | { readonly do: "uninstall" }
  | { readonly do: "admit"; readonly ask: Ask }
  | { readonly do: "refuse"; readonly ask: Ask; readonly cause: DenialCause }
  /** Local traffic control's own refusal goes on to whoever waits. */
  | { readonly do: "relay"; readonly ask: Ask }
  /** What is in force is given up for policy reasons. */
  | { readonly do: "takeAway"; readonly cause: DenialCause }
  | { readonly do: "forget" };

export interface RequestStep<Ask extends Numbered> {
  readonly state: RequestState<Ask>;
  readonly actions: readonly RequestAction<Ask>[];
}

export const newRequest = <Ask extends Numbered>(): RequestState<Ask> => ({
  inForce: undefined,
  asking: undefined,
  next: undefined,
  installing: undefined,
  known: false,
  serial: 0,
});

/** Every event is answered in every state; what makes no sense there does nothing. */
export function requestStep<Ask extends Numbered>(
  policy: LocalPolicy,
  state: RequestState<Ask>,
  event: RequestEvent<Ask>,
): RequestStep<Ask> {
  switch (event.type) {
    case "ask":
      return onAsk(state, event.ask, event.reduction);
    case "decided":
      return onDecided(policy, state, event.serial, event.verdict);
    case "undecided":
      return onUndecided(policy, state, event.serial);
    case "unsolicited":
      return onUnsolicited(state, event.verdict);
    case "local":
      return onLocal(state, event.id, event.admitted);
    case "synchronize":
      return sayAgain(state);
    case "retry":
      return state.known ? nothing(state) : sayAgain(state);
    case "lost":
      return nothing({ ...state, known: false });
    case "expired":
      return state.inForce === undefined ? nothing(state) : takeAway(state, { by: "localPolicy" }, REASON.timeout);
    case "end":
      return forget(state, [{ do: "delete", reason: REASON.tear }]);
  }
}

const nothing = <Ask extends Numbered>(state: RequestState<Ask>): RequestStep<Ask> => ({ state, actions: [] });

function forget<Ask extends Numbered>(state: RequestState<Ask>, actions: readonly RequestAction<Ask>[]) {
  return { state: { ...newRequest<Ask>(), serial: state.serial }, actions: [...actions, { do: "forget" as const }] };
}

function onAsk<Ask extends Numbered>(state: RequestState<Ask>, ask: Ask, reduction: boolean): RequestStep<Ask> {
  const asking = state.asking === undefined ? undefined : { ...state.asking, stale: true };
  if (reduction) {
    // RFC 2205 §2.2: less is not refused. §3.5: until its answer comes, what the PDP said before is used.
    const installing = { ask, by: "reduction" } as const;
    return { state: { ...state, asking, next: undefined, installing }, actions: [{ do: "install", ask }] };
  }
  // RFC 2748 §3.2: not more than one REQ for a handle before its decision.
  if (asking !== undefined) return nothing({ ...state, asking, next: { ask, waits: true } });
  return request(state, { ask, waits: true });
}

function request<Ask extends Numbered>(
  state: RequestState<Ask>,
  { ask, waits }: Wanted<Ask>,
  before: readonly RequestAction<Ask>[] = [],
): RequestStep<Ask> {
  const serial = state.serial + 1;
  return {
    state: { ...state, serial, asking: { serial, ask, waits, stale: false }, next: undefined },
    actions: [...before, { do: "request", serial, ask, held: !waits }],
  };
}

/** What the PDP has to know next: what is wanted instead, or else what is in force; without either the state ends. */
function goOn<Ask extends Numbered>(
  state: RequestState<Ask>,
  before: readonly RequestAction<Ask>[],
  reason: number,
): RequestStep<Ask> {
  if (state.next !== undefined) return request(state, state.next, before);
  // §3.3: fold back to the state that was installed before.
  if (state.inForce !== undefined) return request(state, { ask: state.inForce, waits: false }, before);
  if (state.installing !== undefined) return { state, actions: before };
  // §3.3: without one, delete.
  return forget(state, [...before, { do: "delete", reason }]);
}

function onDecided<Ask extends Numbered>(
  policy: LocalPolicy,
  state: RequestState<Ask>,
  serial: number,
  verdict: RsvpVerdict,
): RequestStep<Ask> {
  const { asking } = state;
  if (asking?.serial !== serial) return nothing(state);
  if (verdict.kind === "error" || verdict.kind === "malformed") {
    const reason = verdict.kind === "error" ? REASON.unspecified : REASON.malformedDecision;
    const step = onUndecided(policy, state, serial);
    return { ...step, actions: [{ do: "delete", reason }, ...step.actions] };
  }
  const rest = { ...state, asking: undefined, known: true };
  if (asking.stale) return rest.next === undefined ? nothing(rest) : request(rest, rest.next);
  if (verdict.kind === "install") {
    if (!asking.waits) return { state: rest, actions: [{ do: "report", success: true }] };
    const { ask } = asking;
    return { state: { ...rest, installing: { ask, by: "server" } }, actions: [{ do: "install", ask }] };
  }
  const cause = causeOf(verdict);
  const reason = verdict.kind === "remove" ? REASON.pdpDirective : REASON.unsupportedDecision;
  if (!asking.waits) return takeAway(rest, cause, reason);
  return goOn(rest, [{ do: "refuse", ask: asking.ask, cause }], reason);
}

type Denial = Extract<RsvpVerdict, { kind: "remove" | "unsupported" }>;

const causeOf = (verdict: Denial): DenialCause =>
  verdict.kind === "remove"
    ? { by: "server", objects: verdict.objects }
    : { by: "unsupportedDecision", classes: verdict.classes };

function takeAway<Ask extends Numbered>(
  state: RequestState<Ask>,
  cause: DenialCause,
  reason: number,
): RequestStep<Ask> {
  const { installing } = state;
  // What waits for local traffic control has nobody else to say no to it.
  const waiting = installing === undefined || installing.by === "reduction" ? [] : [installing.ask];
  return forget(state, [
    ...waiting.map((ask) => ({ do: "refuse", ask, cause }) as const),
    { do: "uninstall" },
    { do: "takeAway", cause },
    { do: "delete", reason },
  ]);
}

/** §3.5: without a decision the LPDP decides; what is in force stays. */
function onUndecided<Ask extends Numbered>(
  { onLoss }: LocalPolicy,
  state: RequestState<Ask>,
  serial: number,
): RequestStep<Ask> {
  const { asking } = state;
  if (asking?.serial !== serial) return nothing(state);
  const rest = { ...state, asking: undefined, known: false };
  if (asking.stale) return rest.next === undefined ? nothing(rest) : request(rest, rest.next);
  if (!asking.waits) return nothing(rest);
  const { ask } = asking;
  if (onLoss === "accept") {
    return { state: { ...rest, installing: { ask, by: "local" } }, actions: [{ do: "install", ask }] };
  }
  const refuse = { do: "refuse", ask, cause: { by: "localPolicy" } } as const;
  const isEmpty = rest.inForce === undefined && rest.installing === undefined;
  return isEmpty ? forget(rest, [refuse]) : { state: rest, actions: [refuse] };
}

function onUnsolicited<Ask extends Numbered>(state: RequestState<Ask>, verdict: RsvpVerdict): RequestStep<Ask> {
  const { inForce, installing } = state;
  switch (verdict.kind) {
    case "install":
      return inForce === undefined ? nothing(state) : { state, actions: [{ do: "report", success: true }] };
    case "remove":
    case "unsupported": {
      // Nothing was decided that could be taken back.
      if (inForce === undefined && installing === undefined) return nothing(state);
      const reason = verdict.kind === "remove" ? REASON.pdpDirective : REASON.unsupportedDecision;
      return takeAway(state, causeOf(verdict), reason);
    }
    case "error":
    case "malformed":
      // RFC 2748 §3.2: the handle is deleted; what is in force is asked for again on another one.
      return { state: { ...state, known: false }, actions: [{ do: "delete", reason: REASON.malformedDecision }] };
  }
}

function onLocal<Ask extends Numbered>(state: RequestState<Ask>, id: number, admitted: boolean): RequestStep<Ask> {
  const { installing } = state;
  if (installing?.ask.id !== id) return nothing(state);
  const { ask, by } = installing;
  const rest = { ...state, installing: undefined };
  return admitted ? onAdmitted(rest, ask, by) : onNoRoom(rest, ask, by);
}

function onAdmitted<Ask extends Numbered>(
  state: RequestState<Ask>,
  ask: Ask,
  by: Installing<Ask>["by"],
): RequestStep<Ask> {
  const now = { ...state, inForce: ask };
  const admit = { do: "admit", ask } as const;
  switch (by) {
    case "server":
      // §3.3: billing may begin.
      return { state: now, actions: [admit, { do: "report", success: true }] };
    case "local":
      return { state: now, actions: [admit] };
    case "reduction":
      if (now.asking === undefined) return request(now, { ask, waits: false }, [admit]);
      return { state: { ...now, next: now.next ?? { ask, waits: false } }, actions: [admit] };
  }
}

function onNoRoom<Ask extends Numbered>(
  state: RequestState<Ask>,
  ask: Ask,
  by: Installing<Ask>["by"],
): RequestStep<Ask> {
  const relay = { do: "relay", ask } as const;
  switch (by) {
    case "server": {
      const noCommit: readonly RequestAction<Ask>[] = [relay, { do: "report", success: false }];
      if (state.asking !== undefined) return { state, actions: noCommit };
      return goOn(state, noCommit, REASON.insufficientResources);
    }
    case "local":
      return state.inForce === undefined && state.asking === undefined
        ? forget(state, [relay])
        : { state, actions: [relay] };
    case "reduction":
      return { state, actions: [relay] };
  }
}

/** What is being asked is under way already, and what is being installed will be reported. */
function sayAgain<Ask extends Numbered>(state: RequestState<Ask>): RequestStep<Ask> {
  if (state.inForce === undefined || state.asking !== undefined) return nothing(state);
  return request(state, { ask: state.inForce, waits: false });
}
