/** Schema of a router's `rsvp.endToEnd`: how reservations of hosts that speak RSVP go into aggregates (RFC 3175). */
import { z } from "zod";
import { bitsPerSecond } from "../model/units.js";
import type { CrossProblem } from "./common.js";
import { phb, rate } from "./scalars.js";

const DEFAULTS = { phb: "EF", step: bitsPerSecond(100_000) } as const;

export const sideKey = () =>
  z
    .enum(["interior", "exterior"])
    .optional()
    .describe(
      "`interior`, as if left out, or `exterior`: hosts and routers there speak RSVP for single flows, which go through the others in aggregates to the edge " +
        "where they leave (RFC 3175). Where none is, nothing is aggregated for others.",
    );

export const endToEndKeys = () =>
  z
    .strictObject({
      phb: phb()
        .default(DEFAULTS.phb)
        .describe(
          "Per-hop behaviour of the aggregates that carry reservations of hosts; no pool may have it towards the same edge. " +
            "The edge where the packets leave decides.",
        ),
      step: rate()
        .default(DEFAULTS.step)
        .describe("In steps of this such an aggregate grows and shrinks, counted at layer 3; it ends at `ceiling`."),
    })
    .optional()
    .describe("How reservations from exterior interfaces go into aggregates; absent: as its keys do if left out.");

export type EndToEndConfig = z.output<ReturnType<typeof endToEndKeys>>;

export const endToEndOf = (written: EndToEndConfig): NonNullable<EndToEndConfig> => written ?? DEFAULTS;

/** What is checked of `rsvp`. */
interface EdgeConfig {
  readonly interfaces: readonly { readonly side?: "interior" | "exterior" | undefined }[];
  readonly address?: string | undefined;
  readonly transport: string;
  readonly aggregates: readonly { readonly phb: string }[];
  readonly endToEnd?: EndToEndConfig;
}

/** RFC 3175 §3.1: IP protocol 134 has no counterpart in UDP (RFC 2205 appendix C). */
export function checkEndToEnd({
  interfaces,
  address,
  transport,
  aggregates,
  endToEnd,
}: EdgeConfig): readonly CrossProblem[] {
  const first = interfaces.findIndex(({ side }) => side === "exterior");
  if (first < 0) return [];
  const path = ["rsvp", "interfaces", first, "side"];
  const problems: CrossProblem[] = [];
  if (address === undefined) {
    const message = "aggregates for hosts out there have no end here";
    problems.push({ path, message, remedy: 'add "address:" to rsvp' });
  }
  if (transport === "udp") {
    const message = "RSVP-E2E-IGNORE does not go by UDP";
    problems.push({ path: ["rsvp", "transport"], message, remedy: "use raw, or make no interface exterior" });
  }
  if (interfaces.every(({ side }) => side === "exterior")) {
    const message = "no interface is inside the aggregation region";
    problems.push({ path, message, remedy: "make at least one interior" });
  }
  const taken = aggregates.findIndex((aggregate) => aggregate.phb === endToEndOf(endToEnd).phb);
  if (taken >= 0) {
    const message = "this code point is that of the aggregates for hosts";
    problems.push({ path: ["rsvp", "aggregates", taken, "phb"], message, remedy: "choose another rsvp.endToEnd.phb" });
  }
  return problems;
}
