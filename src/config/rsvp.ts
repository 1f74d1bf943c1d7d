/** Schema of RSVP on a router: where it is spoken, what it may take, and who is believed. */
import { z } from "zod";
import { bitsPerSecond, octets, seconds, type Timestamp, timestamp } from "../model/units.js";
import { type CrossProblem, duplicateNames, duplicates } from "./common.js";
import { type PathContext, pathValue } from "./paths.js";
import { fault, type Parsed } from "./quantities.js";
import { admissionKeys, checkAdmission } from "./rsvp-admission.js";
import { checkEndToEnd, endToEndKeys, sideKey } from "./rsvp-e2e.js";
import { count, interfaceName, ipAddress, phb, rate, scalar, size, time } from "./scalars.js";

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)$/;

/** A point in time. Without an offset it would mean another moment on another machine. */
function parseInstant(text: string): Parsed<Timestamp> {
  const at = INSTANT.test(text) ? Date.parse(text) : Number.NaN;
  if (at >= 0) return { value: timestamp(at) };
  return fault("this is not a date and time with its offset", 'write one such as "2026-01-31T12:00:00Z"');
}

const instant = () => scalar("a date and time", "2026-01-31T12:00:00Z", parseInstant);

const interfaceKeys = () =>
  z.strictObject({
    name: interfaceName().describe("An interface that RSVP is spoken on."),
    side: sideKey(),
    room: rate().describe("What reservations may take of it together, outgoing, counted at layer 3."),
    nextHop: ipAddress()
      .optional()
      .describe("The neighbour there, where RSVP goes by UDP; absent: messages go to their own destination."),
  });

const keyKeys = (context: PathContext) =>
  z.strictObject({
    id: count(0, 2 ** 48 - 1).describe("Key Identifier: 48 bits, the same at the neighbour (RFC 2747 §2.1)."),
    secretFile: pathValue(context).describe(
      "File with the secret, at least 16 octets; a newline at its end is no part of it.",
    ),
    from: instant().optional().describe("When it begins to be valid; absent: it always was."),
    until: instant().optional().describe("When it ends; absent: never."),
    interface: interfaceName().optional().describe("Where it is used. At least one of interface and neighbour."),
    neighbour: ipAddress().optional().describe("With whom it is used: the address in the neighbour's RSVP_HOP."),
  });

const aggregateKeys = () =>
  z.strictObject({
    remote: ipAddress().describe("The other edge router: its own `rsvp.address`."),
    phb: phb().default("EF").describe("Per-hop behaviour of the packets."),
    rate: rate().describe("What is to be reserved, counted at layer 3."),
    burst: size().default(octets(16_384)).describe("Bucket of the traffic specification, layer 3."),
    packetSize: count(20, 65_535)
      .transform(octets)
      .default(octets(200))
      .describe("Octets of a packet, layer 3; smaller ones count as this."),
  });

export const rsvpKeys = (context: PathContext) =>
  z.strictObject({
    transport: z
      .enum(["auto", "raw", "udp"])
      .default("auto")
      .describe(
        "What carries RSVP: IP packets of protocol 46, for which the package raw-socket is needed, or UDP (RFC 2205 appendix C).",
      ),
    refresh: time().default(seconds(30)).describe("Mean time between refreshes of soft state, 500 ms to 5 min."),
    address: ipAddress()
      .optional()
      .describe("Own address under which this router is the end of aggregates; absent: it only is on their way."),
    interfaces: z.array(interfaceKeys()).min(1).max(64).describe("Where RSVP is spoken."),
    keys: z
      .array(keyKeys(context))
      .max(256)
      .default([])
      .describe("Keys that sign messages (RFC 2747). Where there are any, unsigned messages are dropped."),
    ceiling: rate()
      .default(bitsPerSecond(10e9))
      .describe(
        "The most that is reserved for one remote edge towards here, and towards it for its sake, whatever it asks for; layer 3.",
      ),
    admission: admissionKeys(),
    endToEnd: endToEndKeys(),
    aggregates: z
      .array(aggregateKeys())
      .max(4096)
      .default([])
      .describe("Aggregates that are reserved at all times, whatever the policy server wants."),
  });

export type RsvpConfig = z.output<ReturnType<typeof rsvpKeys>>;

/** RFC 2205 §3.7 leaves R open; neighbours believe no other. */
const [REFRESH_MIN, REFRESH_MAX] = [500, 300_000];

/** @param isEdge - whether it has a policy server, which may want aggregates */
export function checkRsvp(rsvp: RsvpConfig, isEdge: boolean): readonly CrossProblem[] {
  const { interfaces, keys, aggregates } = rsvp;
  return [
    ...duplicateNames(interfaces, "interface", ["rsvp", "interfaces"]),
    ...duplicates(
      keys,
      "key",
      ({ id, interface: name = "", neighbour = "" }) => `${id} ${name} ${neighbour}`.trimEnd(),
      (index) => ["rsvp", "keys", index, "id"],
    ),
    ...duplicates(
      aggregates,
      "aggregate",
      (item) => `${item.remote} ${item.phb}`,
      (index) => ["rsvp", "aggregates", index, "remote"],
    ),
    ...checkRefresh(rsvp),
    ...checkAdmission(rsvp.admission, isEdge),
    ...checkEndToEnd(rsvp),
    ...checkAddress(rsvp, isEdge),
    ...keys.flatMap((key, index) => checkKey(rsvp, key, index)),
  ];
}

function checkRefresh({ refresh }: RsvpConfig): readonly CrossProblem[] {
  if (refresh >= REFRESH_MIN && refresh <= REFRESH_MAX) return [];
  const message = "this refresh period is not believed by neighbours";
  return [{ path: ["rsvp", "refresh"], message, remedy: "choose one from 500 ms to 5 min" }];
}

function checkAddress({ address, aggregates }: RsvpConfig, isEdge: boolean): readonly CrossProblem[] {
  const own = aggregates.flatMap(({ remote }, index) => {
    if (remote !== address) return [];
    const message = "an aggregate cannot end where it begins";
    return [{ path: ["rsvp", "aggregates", index, "remote"], message, remedy: "name the other edge router" }];
  });
  if (address !== undefined || (aggregates.length === 0 && !isEdge)) return own;
  const message = "the address under which aggregates end here is missing";
  const remedy = 'add "address:", such as that of the access network\'s interface';
  return [...own, { path: ["rsvp"], message, remedy }];
}

function checkKey({ interfaces }: RsvpConfig, key: RsvpConfig["keys"][number], index: number): readonly CrossProblem[] {
  const { interface: name, neighbour, from, until } = key;
  const at = (last: string) => ["rsvp", "keys", index, last];
  const problems: CrossProblem[] = [];
  if (name === undefined && neighbour === undefined) {
    const remedy = 'add "interface:", "neighbour:" or both';
    problems.push({ path: at("id"), message: "the key says nowhere where it is used", remedy });
  }
  if (name !== undefined && !interfaces.some((item) => item.name === name)) {
    const remedy = `use one of ${interfaces.map((item) => item.name).join(", ")}`;
    problems.push({ path: at("interface"), message: `RSVP is not spoken on "${name}"`, remedy });
  }
  if (from !== undefined && until !== undefined && until <= from) {
    problems.push({ path: at("until"), message: "the key ends before it begins", remedy: "make it later" });
  }
  return problems;
}
