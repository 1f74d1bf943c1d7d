/** Schema of a SIP proxy's own users: who may register, how long, and where others are looked for. */
import { z } from "zod";
import { millis } from "../model/units.js";
import type { CrossProblem } from "./common.js";
import { type PathContext, pathValue } from "./paths.js";
import { count, httpUrl, ipPrefix, time } from "./scalars.js";

const ALGORITHMS = ["SHA-256", "SHA-512-256", "MD5"] as const;

const algorithms = (fallback: readonly (typeof ALGORITHMS)[number][]) =>
  z
    .array(z.enum(ALGORITHMS))
    .min(1)
    .max(ALGORITHMS.length)
    .default([...fallback]);

const registrarKeys = () =>
  z
    .strictObject({
      authenticate: z
        .boolean()
        .default(true)
        .describe("Registrations are proven by a password; without it everybody is believed, as tests may want."),
      algorithms: algorithms(["SHA-256"]).describe("Digests offered to telephones, the most wanted first."),
      webAlgorithms: algorithms(["MD5"]).describe(
        "Digests offered on WebSockets; browsers' SIP libraries know MD5 only, and their passwords live for minutes (the portal's `sip.expires`).",
      ),
      minExpires: time().default(millis(30_000)).describe("Registrations for a shorter time are answered 423."),
      maxExpires: time().default(millis(3_600_000)).describe("Longest time that a registration is good for."),
      defaultExpires: time().default(millis(600_000)).describe("Time of a registration that does not say one."),
      bindings: count(1, 100).default(10).describe("Most agents of one user at a time."),
      users: count(1, 1_000_000).default(50_000).describe("Most users that are registered at a time."),
    })
    .optional();

/** Keys of `sip` in a proxy's file. */
export const sipUserKeys = (context: PathContext) => ({
  registrar: registrarKeys().describe("The proxy keeps registrations of its domains' users; `{}` takes the defaults."),
  accounts: pathValue(context)
    .optional()
    .describe("YAML file of users with the hashes of their passwords, for telephones."),
  secret: pathValue(context)
    .optional()
    .describe("File with the secret that the portal shares, whose users log in with credentials that it hands out."),
  requireAuth: z
    .boolean()
    .optional()
    .describe(
      "Requests in the name of a user of these domains are proven too (407), unless its own connection or place brings them. Left out: yes, where `registrar` authenticates.",
    ),
  directory: httpUrl().optional().describe("Resource that nick names of users are looked up under."),
  dns: z.boolean().default(false).describe("Other domains are found by the DNS (RFC 3263) where `routes` has none."),
  dnsPrefixes: z
    .array(ipPrefix())
    .max(64)
    .default([])
    .describe("Addresses that are not public, to which the DNS may lead all the same."),
  flowGrace: time()
    .default(millis(10_000))
    .describe("Time for an agent to come back whose connection has closed; then its sessions end."),
});

const sipUsersSchema = (context: PathContext) => z.object(sipUserKeys(context));

/** What `sipUserKeys` gives. */
export type SipUsersConfig = z.output<ReturnType<typeof sipUsersSchema>>;

/** @param sip - `sip` of a proxy's file */
export function checkSipUsers(sip: SipUsersConfig): readonly CrossProblem[] {
  const { registrar, accounts, secret, dns, dnsPrefixes } = sip;
  const problem = (key: string, message: string, remedy: string): CrossProblem => ({
    path: ["sip", ...key.split(".")],
    message,
    remedy,
  });
  const problems: CrossProblem[] = [];
  if (!dns && dnsPrefixes.length > 0) {
    problems.push(problem("dnsPrefixes", "the DNS is not asked", "add `dns: true`, or take it out"));
  }
  if (registrar === undefined) {
    const idle = (["accounts", "secret", "directory"] as const).filter((key) => sip[key] !== undefined);
    return [
      ...problems,
      ...idle.map((key) =>
        problem(key, `${key} is of no use without a registrar`, "add `registrar: {}`, or take it out"),
      ),
    ];
  }
  if (registrar.authenticate && accounts === undefined && secret === undefined) {
    problems.push(problem("registrar", "nobody could register: there are no passwords", "add `secret`, or `accounts`"));
  }
  if (sip.requireAuth === true && !registrar.authenticate) {
    problems.push(problem("requireAuth", "nothing is authenticated", "take `authenticate: false` out of registrar"));
  }
  const { minExpires, defaultExpires, maxExpires } = registrar;
  if (minExpires > defaultExpires || defaultExpires > maxExpires) {
    const message = "minExpires, defaultExpires and maxExpires are not in this order";
    problems.push(problem("registrar.defaultExpires", message, "choose one between the two others"));
  }
  return problems;
}
