/** Schema of a policy server's communities, links and pools: between whom bandwidth is set aside, and how much. */
import { z } from "zod";
import { bitsPerSecond, millis } from "../model/units.js";
import { measureKey } from "./pdp-quality.js";
import { scheduleKeys } from "./pool-schedule.js";
import { carryKeys } from "./pool-tunnels.js";
import { warningKeys } from "./pool-warnings.js";
import { count, domainName, identifier, ipAddress, ipPrefix, rate, time } from "./scalars.js";

export const communityKeys = () =>
  z.strictObject({
    name: identifier().describe("Name of the community."),
    prefixes: z
      .array(ipPrefix())
      .min(1)
      .max(256)
      .describe("Addresses of its users; no other community may have any of them."),
    domains: z
      .array(domainName())
      .max(256)
      .default([])
      .describe("SIP domains of its users: tell the community as long as no media address is known."),
    router: domainName().describe("Name of its edge router; `access.router` for the communities of this server."),
    edge: ipAddress()
      .optional()
      .describe(
        "Address of its edge router that reservations (`rsvp.address` there) and tunnels begin and end at; needed where a pool with `reserve: rsvp`, or a tunnelled one, ends.",
      ),
  });

export const linkKeys = () =>
  z.strictObject({
    name: identifier().describe("Name of the link; no pool may have it."),
    rate: rate().describe("What all sessions over the link may use together, each direction, counted at layer 2."),
    behind: z
      .array(identifier())
      .min(1)
      .max(10_000)
      .describe("Communities that reach the others over this link only: one for an access link."),
  });

const sizingKeys = () =>
  z.strictObject({
    floor: rate().describe("Least that stays reserved, also without sessions."),
    ceiling: rate().describe("Most that is ever reserved."),
    step: rate().describe("Reservations are the floor and a whole number of these."),
    headRoom: rate().default(bitsPerSecond(0)).describe("Reserved beyond what sessions use, for those that come next."),
    hold: time()
      .default(millis(300_000))
      .describe("How long less has been enough before the reservation is made smaller."),
    growTimeout: time()
      .default(millis(400))
      .describe(
        "Longest time that a session waits for a larger reservation; with `routerTimeout` less than the proxies wait.",
      ),
    retry: time()
      .default(millis(10_000))
      .describe("Time without requests after the network refused one, or took something back."),
  });

export const RESERVE_METHODS = ["none", "rsvp"] as const;

/** A pool as written; which keys go together is for the checks (pool-checks.ts). */
const writtenPool = () =>
  z.strictObject({
    name: identifier().describe("Name of the pool."),
    id: count(1, 0x7fff).describe("Number of the pool: becomes the number of its HTB class; at most 494 with DSMARK."),
    rate: rate()
      .optional()
      .describe(
        "What all sessions of the pool may use together, each direction, counted at layer 2. Left out with a sizing.",
      ),
    from: identifier().optional().describe("Community at one end. Without communities: a pool that classes name."),
    to: identifier().optional().describe("Community at the other end."),
    class: identifier().optional().describe("Service class whose sessions draw from the pool between its communities."),
    direction: z
      .enum(["both", "forward"])
      .default("both")
      .describe("`both`: as much in each direction. `forward`: for packets from `from` to `to` only."),
    links: z
      .array(identifier())
      .max(64)
      .optional()
      .describe("Links that the pool lies in. If left out: each that has one of its communities behind it."),
    overhead: rate().default(bitsPerSecond(0)).describe("Part of the reservation that sessions may not use."),
    sizing: z
      .union([z.literal("fixed"), sizingKeys()])
      .default("fixed")
      .describe("`fixed`, or how the reservation follows what sessions use."),
    reserve: z
      .enum(RESERVE_METHODS)
      .default("none")
      .describe(
        "Who reserves: `none` takes the network to have the pool's rate. With `rsvp` the edge router at `from` reserves towards that at `to`, with direction `both` each towards the other: both follow the larger want of the two policy servers, and sessions may use the smaller. Several marked pools of one code point between the same edges need the same `id` at both ends.",
      ),
    carry: carryKeys(),
    measure: measureKey(),
    schedule: z
      .array(scheduleKeys())
      .max(64)
      .default([])
      .describe("Times with another rate, or another floor with a sizing. The first that fits counts."),
    warn: warningKeys(),
  });

/** With a sizing the pool begins at its floor. */
export const poolKeys = () =>
  writtenPool().transform((pool, context) => {
    const refuse = (path: string, message: string, remedy: string) => {
      context.addIssue({ code: "custom", path: [path], message, params: { remedy } });
      return z.NEVER;
    };
    if (pool.sizing === "fixed") {
      if (pool.rate !== undefined) return { ...pool, rate: pool.rate };
      return refuse("rate", `pool "${pool.name}" has no rate`, 'add "rate: 170 kbit/s", or a sizing');
    }
    if (pool.rate === undefined) return { ...pool, rate: pool.sizing.floor };
    return refuse("rate", `pool "${pool.name}" has a rate and a sizing`, "leave one of them out");
  });
