import { describe, expect, it } from "vitest";
import { cutRsvpObjects } from "../../../../src/cops/rsvp/objects.js";
import { millis } from "../../../../src/model/units.js";
import { type ReserveAction, requestContents } from "../../../../src/pep/router/rsvp/outsourced-request.js";
import { filterKey } from "../../../../src/rsvp/codec/keys.js";
import type { Style } from "../../../../src/rsvp/codec/objects.js";
import type { Neighbour } from "../../../../src/rsvp/machine/keys.js";
import {
  newSession,
  type PathState,
  type ReservationState,
  type SessionState,
} from "../../../../src/rsvp/machine/state.js";
import { flowspec, SESSION } from "./outsourced-nodes.js";

const FILTER = { address: "10.1.0.1", port: 5004 };
const NEXT: Neighbour = { kind: "remote", interface: "toR", hop: { address: "10.3.0.1", lih: 3 } };
const OTHER: Neighbour = { kind: "remote", interface: "toR", hop: { address: "10.3.0.9", lih: 3 } };
const PREVIOUS: Neighbour = { kind: "remote", interface: "toS", hop: { address: "10.1.0.1", lih: 9 } };
const FLOWSPEC = flowspec(400_000);

function wanted(style: Style): ReserveAction {
  return {
    do: "reserve",
    ref: { session: SESSION, interface: "toR", flow: style === "FF" ? filterKey(FILTER) : "*" },
    id: 1,
    flowspec: FLOWSPEC,
    style,
    filters: [FILTER],
    entryPolicing: false,
    mergePolicing: false,
  };
}

/** A session in which these next hops reserve. */
function sessionOf(style: Style, nextHops: readonly Neighbour[], from: Neighbour = PREVIOUS): SessionState {
  const path: PathState = {
    template: FILTER,
    tspec: FLOWSPEC.tspec,
    policy: [],
    unknown: [],
    from,
    ttl: 63,
    nonRsvpHop: false,
    entryPolicing: false,
    expires: 0,
    refreshAt: 0,
    period: millis(30_000),
  };
  const reservations = nextHops.map((to, index): [string, ReservationState] => [
    String(index),
    {
      to,
      style,
      filters: [FILTER],
      asked: FLOWSPEC,
      policy: [{ contents: Buffer.from("abcd") }],
      unknown: [],
      expires: 0,
    },
  ]);
  return {
    ...newSession(SESSION),
    paths: new Map([[filterKey(FILTER), path]]),
    reservations: new Map(reservations),
  };
}

const contents = (style: Style, nextHops: readonly Neighbour[], more: { held?: boolean; from?: Neighbour } = {}) =>
  requestContents(
    wanted(style),
    {
      session: sessionOf(style, nextHops, more.from),
      refreshPeriod: millis(30_000),
      interfaceIndex: (name) => (name === "toS" ? 2 : undefined),
    },
    more.held ?? false,
  );

const classes = ({ signaled }: ReturnType<typeof contents>) =>
  cutRsvpObjects(signaled[0] ?? Buffer.alloc(0)).map(({ classNum }) => classNum);

describe("what a policy server is told of a reservation", () => {
  it("is the Resv of its next hop, where it came from and where it goes", () => {
    const told = contents("FF", [NEXT]);
    expect(told).toMatchObject({
      context: { rType: 7, mType: 2 },
      inInterface: { address: "10.3.0.1", ifindex: 3 },
      outInterface: { address: "10.1.0.1", ifindex: 2 },
      lpdp: [],
    });
    // SESSION, RSVP_HOP, TIME_VALUES, POLICY_DATA, STYLE, FLOWSPEC, FILTER_SPEC.
    expect(classes(told)).toEqual([1, 3, 5, 14, 8, 9, 10]);
  });

  it("of a shared style is nothing of the outgoing message", () => {
    const told = contents("SE", [NEXT]);
    expect(told.context.rType).toBe(3);
    expect(told.outInterface).toBeUndefined();
  });

  it("is what is merged of several next hops, which is no message (RFC 2749 §2.3)", () => {
    const told = contents("SE", [NEXT, OTHER]);
    expect([told.context.rType, told.inInterface, classes(told)]).toEqual([2, undefined, [1, 8, 9, 10]]);
  });

  it("names no interface for a sender on this node", () => {
    expect(contents("FF", [NEXT], { from: { kind: "local" } }).outInterface).toBeUndefined();
  });

  it("says what is in force already", () => {
    expect(contents("FF", [NEXT], { held: true }).lpdp).toEqual([
      { context: { rType: 7, mType: 2 }, command: 1, flags: 0 },
    ]);
  });
});
