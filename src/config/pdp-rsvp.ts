/** Schema of a policy server's `rsvp`: which routers ask it about reservations, and what they may let in (RFC 2749). */
import { z } from "zod";
import { dscpOf } from "../model/phb.js";
import { type CrossProblem, duplicateNames, duplicates } from "./common.js";
import { count, domainName, identifier, ipPrefix, phb, rate } from "./scalars.js";

const allowKeys = () =>
  z
    .strictObject({
      name: identifier().describe("Name of the rule, as logs and `show reservations` tell it."),
      from: ipPrefix()
        .optional()
        .describe("Senders; of aggregates the edge routers where they begin. If left out, any, named or not."),
      to: ipPrefix()
        .optional()
        .describe("Destinations; of aggregates the edge routers where they end. If left out, any."),
      phb: phb()
        .optional()
        .describe("Per-hop behaviour of an aggregate. If left out: any, and reservations of single flows as well."),
      rate: rate().describe("What reservations by this rule may take together at each router, counted at layer 3."),
    })
    .transform(({ phb: behaviour, ...rule }) => ({
      ...rule,
      ...(behaviour === undefined ? {} : { dscp: dscpOf(behaviour) }),
    }));

export const pdpRsvpKeys = () =>
  z.strictObject({
    routers: z
      .array(domainName())
      .min(1)
      .max(1024)
      .describe("Names of the routers that may ask, transit routers included; others are turned away."),
    allow: z
      .array(allowKeys())
      .max(10_000)
      .describe("Who may reserve how much. The first rule that fits decides; what none fits is refused."),
    maxReservations: count(1, 1_000_000)
      .default(100_000)
      .describe("Most reservations of all routers at a time; further ones are refused."),
  });

export type PdpRsvpConfig = z.output<ReturnType<typeof pdpRsvpKeys>>;

export function checkPdpRsvp({ routers, allow }: PdpRsvpConfig): readonly CrossProblem[] {
  return [
    ...duplicates(
      routers,
      "router",
      (name) => name,
      (index) => ["rsvp", "routers", index],
    ),
    ...duplicateNames(allow, "rule", ["rsvp", "allow"]),
  ];
}
