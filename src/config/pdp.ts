/** Schema of a policy server (PDP). */
import { z } from "zod";
import { dscpOf } from "../model/phb.js";
import { millis, octets } from "../model/units.js";
import { commonKeys } from "./common.js";
import { type PathContext, pathValue } from "./paths.js";
import { DEFAULT_LIVENESS, livenessKeys } from "./pdp-liveness.js";
import { communityKeys, linkKeys, poolKeys } from "./pdp-pools.js";
import { qualityKeys } from "./pdp-quality.js";
import { pdpRsvpKeys } from "./pdp-rsvp.js";
import { timeZone } from "./pool-schedule.js";
import {
  clientType,
  count,
  domainName,
  httpUrl,
  identifier,
  ipPrefix,
  ospId,
  phb,
  rate,
  size,
  socketAddress,
  time,
  userPattern,
} from "./scalars.js";
import { ruleSessionClassesKeys, sessionClassKeys, UNMEASURED } from "./session-classes.js";

const copsKeys = () =>
  z.strictObject({
    listen: socketAddress().describe("Where COPS connections of proxies and routers are accepted."),
    keepAlive: time()
      .default(millis(30_000))
      .describe("Keep-alive time asked of the clients; a lost peer is noticed in at most this time."),
    maxMessage: size().default(octets(262_144)).describe("Longest COPS message that is accepted."),
    sipClientType: clientType().default(0x5349).describe("COPS client-type of SIP proxies."),
  });

const accessKeys = () =>
  z.strictObject({
    router: domainName().describe("Name of the router that enforces the decisions."),
    prefixes: z.array(ipPrefix()).min(1).max(256).describe("Addresses of the access network behind that router."),
    linkOverhead: count(0, 256)
      .transform(octets)
      .default(octets(14))
      .describe("Octets per packet that the link counts beyond layer 3: 14 on Ethernet."),
  });

const outOfProfile = () =>
  z
    .union([z.literal("drop"), z.strictObject({ remark: phb().describe("Behaviour for packets above the rate.") })])
    .transform((value) =>
      value === "drop" ? ({ action: "drop" } as const) : ({ action: "remark", dscp: dscpOf(value.remark) } as const),
    );

export const SHED_TREATMENTS = ["bestEffort", "bye"] as const;

const classKeys = () =>
  z.strictObject({
    name: identifier().describe("Name of the service class."),
    pool: identifier()
      .optional()
      .describe("Pool of sessions that no pool between communities is for; without one they are refused."),
    phb: phb().describe("Per-hop behaviour: the DSCP that packets get."),
    packetSize: count(20, 65_535)
      .transform(octets)
      .default(octets(1500))
      .describe(
        "Octets of the largest packets, counted at layer 3: for turning pools into reservations. Smaller is exacter, too small reserves too little.",
      ),
    outOfProfile: outOfProfile()
      .default({ action: "drop" })
      .describe("What becomes of packets above a flow's rate: `drop`, or `{remark: BE}`."),
    whenShed: z
      .enum(SHED_TREATMENTS)
      .optional()
      .describe(
        "Sessions that must let go, as bandwidth was taken back: `bestEffort` (if left out), or ended by a `bye`.",
      ),
  });

export const MEDIA_TYPES = ["audio", "video", "text", "application", "message"] as const;
export const TREATMENTS = ["assured", "bestEffort", "refuse"] as const;

const ruleKeys = () =>
  z.strictObject({
    name: identifier().describe("Name of the rule, as `explain` shows it."),
    from: userPattern().describe("Callers that the rule is for."),
    to: userPattern().describe("Callees that the rule is for."),
    media: z.array(z.enum(MEDIA_TYPES)).min(1).optional().describe("Media that a session may have; all if left out."),
    class: identifier()
      .optional()
      .describe(
        "Service class of media that name no session class; needed when the rule is assured and has no `sessionClasses`.",
      ),
    sessionClasses: ruleSessionClassesKeys(),
    maxRate: rate().optional().describe("Highest rate of one flow, counted at layer 3."),
    priority: count(0, 7)
      .optional()
      .describe("Importance: when bandwidth is taken back, sessions of the lowest let go first; 0 if left out."),
    maxSessionsPerUser: count(1, 100_000).optional().describe("Most sessions that one caller may have at a time."),
    treatment: z
      .enum(TREATMENTS)
      .describe("`assured`: admitted and guaranteed. `bestEffort`: let through unmarked. `refuse`."),
  });

const clearinghouseKeys = (context: PathContext) =>
  z.strictObject({
    url: httpUrl().describe("Where OSP requests are sent."),
    timeout: time().default(millis(700)).describe("Longest time to wait for an answer, each time it is asked."),
    retries: count(0, 10).default(1).describe("How often a request is sent again when nobody answers."),
    certificates: z
      .array(pathValue(context))
      .min(1)
      .max(16)
      .describe("PEM files of the signers whose tokens are trusted."),
    customerId: ospId().optional().describe("This operator's number at the clearinghouse."),
    deviceId: ospId().optional().describe("This device's number at the clearinghouse."),
  });

const recordKeys = () =>
  z.strictObject({
    retention: time()
      .default(millis(400 * 86_400_000))
      .describe("A billing record is kept for so long after the end of its session."),
  });

/** What a file without `records` means. */
const DEFAULT_RECORDS = recordKeys().parse({});

export const pdpSchema = (context: PathContext) =>
  z.strictObject({
    ...commonKeys("pdp", context),
    cops: copsKeys().describe("The COPS server."),
    domain: domainName().describe("Users of this domain start their sessions here."),
    access: accessKeys().describe("The access network that is managed."),
    communities: z
      .array(communityKeys())
      .max(10_000)
      .default([])
      .describe("Sites or user groups between which pools are; their edge routers enforce."),
    links: z.array(linkKeys()).max(10_000).default([]).describe("Links that pools lie in: sessions take from each."),
    pools: z.array(poolKeys()).min(1).max(4096).describe("Bandwidth set aside for sessions."),
    timeZone: timeZone().default("UTC").describe("Time zone of the pools' schedules."),
    classes: z.array(classKeys()).min(1).max(256).describe("Service classes: how packets are treated."),
    sessionClasses: z
      .array(sessionClassKeys())
      .max(256)
      .default([])
      .describe(
        "What agents may name in their session descriptions: which service class it gets, and what that is for.",
      ),
    unmeasured: z
      .enum(UNMEASURED)
      .default("refuse")
      .describe(
        "Latency, jitter and loss that a session needs where nobody measures the path, and its session class promises less or nothing: `refuse`, or `allow` as if they were kept.",
      ),
    quality: qualityKeys(),
    liveness: livenessKeys().default(DEFAULT_LIVENESS).describe("How sessions are found over that nobody hung up."),
    records: recordKeys().default(DEFAULT_RECORDS).describe("Billing records of this server's users."),
    rules: z.array(ruleKeys()).max(10_000).describe("Who may start what. The first rule that fits decides."),
    rsvp: pdpRsvpKeys()
      .optional()
      .describe("Reservations of single routers that are decided here (COPS-RSVP, RFC 2749). Absent: nobody may ask."),
    defaultTreatment: z
      .enum(["bestEffort", "refuse"])
      .default("refuse")
      .describe("Treatment of sessions that no rule fits."),
    media: z
      .strictObject({
        sourcePort: z
          .enum(["symmetric", "any"])
          .default("symmetric")
          .describe("`symmetric`: media comes from the port it is received on. `any`: from any port."),
      })
      .default({ sourcePort: "symmetric" })
      .describe("How flows are made from session descriptions."),
    clearinghouse: z
      .union([z.literal("none"), clearinghouseKeys(context)])
      .default("none")
      .describe("The clearinghouse that authorises between domains; with `none` this server does it itself."),
    routerTimeout: time()
      .default(millis(1500))
      .describe("Longest time the router may take to report a decision installed."),
  });

export type PdpConfig = z.output<ReturnType<typeof pdpSchema>>;
