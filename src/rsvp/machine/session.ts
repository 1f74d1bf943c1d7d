/**
 * One RSVP session at a node, RFC 2205 §3. Pure: time and randomness come with the event, what is wanted goes out
 * as actions. Whatever an event changed, reservations are then reconciled and upstream is told the difference.
 */
import type { SessionMessage } from "../codec/message.js";
import { onAdmission, onPreempt, onRoomGrown, reconcileTouched } from "./admission.js";
import { forgetConfirms, onResvConf } from "./confirm.js";
import { type Draft, draftOf, type Surroundings, stateOf } from "./draft.js";
import type { Arrival, Moment, NodeAction, SessionEvent } from "./events.js";
import {
  onClose,
  onComplain,
  onInterfaceForPaths,
  onOpen,
  onPath,
  onPathErr,
  onPathTear,
  onPathTimers,
  onRoute,
} from "./path.js";
import { removeReservation } from "./reservations.js";
import { onRelease, onReservationTimers, onReserve, onResv, onResvTear } from "./resv.js";
import { onResvErr } from "./resv-err.js";
import type { SessionState } from "./state.js";
import { onResvTimers, updateUpstream } from "./upstream.js";

export interface SessionStep {
  readonly state: SessionState;
  readonly actions: readonly NodeAction[];
}

export function sessionStep(node: Surroundings, state: SessionState, event: SessionEvent, moment: Moment): SessionStep {
  const draft = draftOf(node, state, moment);
  handle(draft, event);
  reconcileTouched(draft);
  if (draft.upstream) {
    updateUpstream(draft);
    forgetConfirms(draft);
  }
  if (event.type === "due") onResvTimers(draft);
  return { state: stateOf(draft), actions: draft.actions };
}

function handle(draft: Draft, event: SessionEvent): void {
  switch (event.type) {
    case "received":
      onMessage(draft, event.message, event.arrival);
      return;
    case "open":
      onOpen(draft, event);
      return;
    case "close":
      onClose(draft, event.template);
      return;
    case "complain":
      onComplain(draft, event);
      return;
    case "reserve":
      onReserve(draft, event);
      return;
    case "release":
      onRelease(draft, event.filters);
      return;
    case "route":
      onRoute(draft, event.route);
      return;
    case "admission":
      onAdmission(draft, event);
      return;
    case "preempt":
      onPreempt(draft, event);
      return;
    case "roomGrown":
      onRoomGrown(draft, event.interface);
      return;
    case "interfaceDown":
      onInterfaceDown(draft, event.interface);
      return;
    case "interfaceUp":
      onInterfaceForPaths(draft, event.interface);
      return;
    case "due":
      onPathTimers(draft);
      onReservationTimers(draft);
  }
}

function onMessage(draft: Draft, message: SessionMessage, arrival: Arrival): void {
  switch (message.kind) {
    case "Path":
      onPath(draft, message, arrival);
      return;
    case "Resv":
      onResv(draft, message, arrival);
      return;
    case "PathErr":
      onPathErr(draft, message);
      return;
    case "ResvErr":
      onResvErr(draft, message, arrival);
      return;
    case "PathTear":
      onPathTear(draft, message);
      return;
    case "ResvTear":
      onResvTear(draft, message);
      return;
    case "ResvConf":
      onResvConf(draft, message, arrival.ttl - 1);
  }
}

/** What was reserved on an interface is gone with it; paths wait for routing to find another. */
function onInterfaceDown(draft: Draft, name: string): void {
  for (const [key, { to }] of [...draft.reservations]) {
    if (to.kind === "remote" && to.interface === name) removeReservation(draft, key);
  }
}
