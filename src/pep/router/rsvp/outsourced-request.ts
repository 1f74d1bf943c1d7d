/** What the policy server is told of a reservation that is to be made: RFC 2749 §2.3 and §3.6. */
import { R_TYPE } from "../../../cops/codec/codes.js";
import type { CopsContext, CopsInterface, CopsMessage, LpdpDecision } from "../../../cops/codec/message.js";
import { reservationContext } from "../../../cops/rsvp/codes.js";
import { encodeRuling } from "../../../cops/rsvp/verdict.js";
import type { Millis } from "../../../model/units.js";
import { encodePacket } from "../../../rsvp/codec/encode.js";
import { flowObjects } from "../../../rsvp/codec/flow-objects.js";
import { HEADER_LENGTH } from "../../../rsvp/codec/header.js";
import { filterKey } from "../../../rsvp/codec/keys.js";
import { encodeObject } from "../../../rsvp/codec/object.js";
import { sessionObject } from "../../../rsvp/codec/session-object.js";
import type { NodeAction } from "../../../rsvp/machine/events.js";
import { effectiveKey, type RemoteNeighbour } from "../../../rsvp/machine/keys.js";
import { descriptorsOf, effectiveKeyOf } from "../../../rsvp/machine/reservations.js";
import { isRemote, type ReservationState, type SessionState } from "../../../rsvp/machine/state.js";

/** A reservation as the node wants it. */
export type ReserveAction = Extract<NodeAction, { do: "reserve" }>;

export interface RequestView {
  /** The session, with who reserves and who sends. */
  readonly session: SessionState | undefined;
  /** R that goes on upstream. */
  readonly refreshPeriod: Millis;
  /** The kernel's number of an interface, where it is known. */
  readonly interfaceIndex?: (name: string) => number | undefined;
}

/** All of a REQ but its handle. */
export type RequestContents = Pick<
  Extract<CopsMessage, { op: "REQ" }>,
  "context" | "inInterface" | "outInterface" | "signaled" | "lpdp"
>;

type Asker = ReservationState & { readonly to: RemoteNeighbour };

/** @param held - it is in force here: what a PDP that synchronises is told (RFC 2749 §3.5) */
export function requestContents(wanted: ReserveAction, view: RequestView, held: boolean): RequestContents {
  const askers = askersOf(wanted, view.session);
  const [only, ...others] = askers;
  const [steps, octets] =
    only === undefined || others.length > 0
      ? (["merged", mergedObjects(wanted)] as const)
      : ([wanted.style === "FF" ? "unicastFixed" : "oneNextHop", messageObjects(wanted, only, view)] as const);
  const context = reservationContext(steps);
  return {
    context,
    ...interfacesOf(context, wanted, only, view),
    signaled: [octets],
    lpdp: held ? [lpdpInstall(context)] : [],
  };
}

const lpdpInstall = (context: CopsContext): LpdpDecision => encodeRuling(context, { install: true });

/** Who asked for a part of the reservation. */
function askersOf({ ref }: ReserveAction, session: SessionState | undefined): readonly Asker[] {
  const key = effectiveKey(ref);
  const all = [...(session?.reservations.values() ?? [])];
  return all.filter((each): each is Asker => isRemote(each.to) && effectiveKeyOf(each) === key);
}

/**
 * The Resv, as it came but for what is merged (§3.6 b: objects are those of the last step that is asked about). Each flow of a
 * packed message is one by itself (§3.1).
 */
function messageObjects({ ref, style, filters, flowspec }: ReserveAction, asker: Asker, view: RequestView): Buffer {
  const { to, confirm, scope, policy, unknown } = asker;
  const packet = encodePacket({
    sendTtl: 0,
    refreshReduction: false,
    acks: [],
    message: {
      kind: "Resv",
      session: ref.session,
      hop: to.hop,
      refreshPeriod: view.refreshPeriod,
      ...(confirm === undefined ? {} : { confirm }),
      ...(scope === undefined ? {} : { scope }),
      policy,
      flows: descriptorsOf({ style, filters, flowspec }),
      unknown,
    },
  });
  return packet.subarray(HEADER_LENGTH);
}

/** §2.3: of a merged reservation SESSION, STYLE, FLOWSPEC and FILTER_SPECs. */
function mergedObjects({ ref, style, filters, flowspec }: ReserveAction): Buffer {
  const objects = [sessionObject(ref.session), ...flowObjects(descriptorsOf({ style, filters, flowspec }))];
  return Buffer.concat(objects.map(encodeObject));
}

/** RFC 2748 §2.2.3, §2.2.4: by what the message came, with who sent it; by what it goes on, with whom it is for. */
function interfacesOf(
  { rType }: CopsContext,
  { filters }: ReserveAction,
  asker: Asker | undefined,
  { session, interfaceIndex }: RequestView,
): { readonly inInterface?: CopsInterface; readonly outInterface?: CopsInterface } {
  if (asker === undefined || (rType & R_TYPE.admission) === 0) return {};
  // The LIH in the hop is the one that was given to the next hop: the number of the interface.
  const inInterface = { address: asker.to.hop.address, ifindex: asker.to.hop.lih };
  const [filter] = filters;
  const from = filter === undefined ? undefined : session?.paths.get(filterKey(filter))?.from;
  if ((rType & R_TYPE.outgoing) === 0 || from?.kind !== "remote") return { inInterface };
  const ifindex = interfaceIndex?.(from.interface);
  if (ifindex === undefined) return { inInterface };
  return { inInterface, outInterface: { address: from.hop.address, ifindex } };
}
