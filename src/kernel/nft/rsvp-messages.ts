/**
 * RSVP messages in the signalling class: in a flood of best effort they would be lost, and with them the reservations that
 * protect from it. Pure.
 */
import { toBytesPerSecond } from "../../model/units.js";
import { keptSlot } from "../dsmark/rules.js";
import type { DesiredState, ManagedInterface } from "../port.js";
import { CLASS } from "../tc/tree.js";
import type { Marking } from "./marking.js";
import { chain } from "./rule-text.js";

const CHAIN = "reservations";
/** RSVP, and end-to-end RSVP that crosses an aggregation region (RFC 3175 §1.2). */
export const RSVP_PROTOCOLS = [46, 134] as const;
const LEAST = 1000;

/** Octets per second, layer 3: anybody can send such packets, so they get no more than half of what signalling is guaranteed. */
export const rsvpAllowance = (link: ManagedInterface): number =>
  Math.max(LEAST, Math.floor(toBytesPerSecond(link.signallingRate) / 2));

type State = Pick<DesiredState, "interfaces" | "rsvp">;

export const rsvpChainNames = ({ rsvp = false }: State): readonly string[] => (rsvp ? [CHAIN] : []);

/** For packets that are neither of a session nor of other signalling. */
export const rsvpRules = ({ rsvp = false }: State): readonly string[] =>
  rsvp ? [`meta l4proto { ${RSVP_PROTOCOLS.join(", ")} } goto ${CHAIN}`] : [];

export function rsvpChains({ rsvp = false, interfaces }: State, marking: Marking): readonly string[] {
  if (!rsvp) return [];
  const place = marking === "dsmark" ? keptSlot(CLASS.signalling) : `1:${CLASS.signalling.toString(16)}`;
  const rules = interfaces.map((link) => {
    const rate = rsvpAllowance(link);
    return `oifname "${link.name}" limit rate ${rate} bytes/second burst ${rate} bytes meta priority set ${place} accept`;
  });
  return [chain(CHAIN, rules)];
}
