/** Schema of a portal: the pages of players and operators. */
import { z } from "zod";
import { millis } from "../model/units.js";
import { type CrossProblem, commonKeys, duplicateNames } from "./common.js";
import { parseOrigin, parseWebSocketUrl } from "./names.js";
import { type PathContext, pathValue, socketPath } from "./paths.js";
import { fault, type Parsed } from "./quantities.js";
import { count, domainName, httpUrl, identifier, ipAddress, percent, scalar, socketAddress, time } from "./scalars.js";

const origin = () => scalar("the origin of a page", "https://portal.a.example", parseOrigin);
const webSocketUrl = () => scalar("a WebSocket URL", "wss://sip1.a.example:5443", parseWebSocketUrl);

/** RFC 7064 §3.1: a host, and a port where it is not that of STUN. */
function parseStunUri(uri: string): Parsed<string> {
  const remedy = 'write one such as "stun:stun.a.example:3478"';
  const [, host = "", port = "3478"] =
    /^stuns?:(\[[0-9a-f:.]{2,45}\]|[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)(?::(\d{1,5}))?$/i.exec(uri) ?? [];
  if (host === "") return fault(`"${uri}" is not the URI of a STUN server`, remedy);
  if (Number(port) < 1 || Number(port) > 65_535) return fault(`${port} is not a port`, remedy);
  return { value: uri };
}

const stunUri = () => scalar("a STUN server", "stun:stun.a.example:3478", parseStunUri);

const tlsKeys = (context: PathContext) =>
  z.union([
    z.literal("none"),
    z.strictObject({
      key: pathValue(context).describe("PEM file of the private key."),
      certificate: pathValue(context).describe("PEM file of the certificate, followed by those that signed it."),
    }),
  ]);

const sipKeys = () =>
  z.strictObject({
    wss: webSocketUrl().describe("Where browsers reach the SIP proxy."),
    expires: time()
      .default(millis(600_000))
      .describe("How long SIP credentials that a page was given are good for; its registration ends with them."),
    stun: z
      .array(stunUri())
      .max(4)
      .default([])
      .describe("STUN servers that tell browsers behind a NAT their address; not needed where there is none."),
  });

const roleKeys = (context: PathContext) =>
  z.strictObject({
    control: socketPath(context).describe("Its control socket; this user must be able to write to it."),
  });

const watchKeys = (context: PathContext) =>
  z.strictObject({
    name: identifier().describe("What operators see it as."),
    control: socketPath(context).describe("Its control socket."),
  });

const classKeys = () =>
  z.strictObject({
    name: identifier().describe("As agents name it, and the policy server in its `sessionClasses`."),
    label: z.string().min(1).max(64).describe("What people read."),
    latency: time().describe("One way, that it is for."),
    jitter: time().describe("Interarrival jitter that it is for."),
    loss: percent().describe("Lost packets of all that it is for."),
  });

const sessionKeys = () =>
  z
    .strictObject({
      idle: time().default(millis(7_200_000)).describe("A log-in ends when nothing was asked under it for this long."),
      absolute: time().default(millis(86_400_000)).describe("A log-in ends this long after it was made."),
    })
    .default({ idle: millis(7_200_000), absolute: millis(86_400_000) });

const limitKeys = () =>
  z
    .strictObject({
      connections: count(16, 100_000).default(10_000).describe("Most connections at a time."),
      connectionsPerSource: count(4, 100_000)
        .default(64)
        .describe("Most connections of one address at a time; `trustedProxies` may have all."),
      streamsPerUser: count(1, 64).default(4).describe("Most event streams of one user at a time: open pages."),
    })
    .default({ connections: 10_000, connectionsPerSource: 64, streamsPerUser: 4 });

export const portalSchema = (context: PathContext) =>
  z.strictObject({
    ...commonKeys("portal", context),
    listen: socketAddress().describe("Where HTTPS is accepted."),
    tls: tlsKeys(context).describe(
      "Key and certificate; `none` for plain HTTP on loopback, or behind `trustedProxies`.",
    ),
    publicUrl: origin().describe("What browsers address it by; requests from pages of others are refused."),
    trustedProxies: z
      .array(ipAddress())
      .max(64)
      .default([])
      .describe("Addresses of HTTP proxies whose X-Forwarded-For is believed."),
    domain: domainName().describe("Domain of its users' SIP addresses."),
    accounts: pathValue(context).describe(
      "YAML file of the users and the hashes of their passwords; read again when it changes.",
    ),
    secret: pathValue(context).describe(
      "File with the secret that it shares with the SIP proxy, for short-lived credentials.",
    ),
    sip: sipKeys().describe("SIP of the pages."),
    pdp: roleKeys(context).describe("The policy server of the users' sessions."),
    proxy: roleKeys(context).describe("The SIP proxy of the users' sessions."),
    watch: z.array(watchKeys(context)).max(64).default([]).describe("Roles that operators may look at."),
    directory: z
      .union([
        z.literal("none"),
        z.strictObject({ url: httpUrl().describe("Resource that nick names are looked up under.") }),
      ])
      .default("none")
      .describe("Directory of nick names and of who is on-line, shared between servers."),
    classes: z.array(classKeys()).max(64).default([]).describe("Classes of sessions that pages offer."),
    sessions: sessionKeys().describe("How long log-ins last."),
    pages: pathValue(context).optional().describe("Directory of the built page; that of this program if left out."),
    limits: limitKeys().describe("What a flood meets."),
  });

export type PortalConfig = z.output<ReturnType<typeof portalSchema>>;

const LOOPBACK = /^(?:127\.|::1$|\[::1\]$|localhost$)/;

export function checkPortal(config: PortalConfig): readonly CrossProblem[] {
  const { listen, tls, publicUrl, sip, sessions, trustedProxies } = config;
  const problems: CrossProblem[] = [
    ...duplicateNames(config.watch, "name", ["watch"]),
    ...duplicateNames(config.classes, "class", ["classes"]),
  ];
  const { protocol, hostname } = new URL(publicUrl);
  // Browsers keep a cookie that is Secure for plain HTTP only where it cannot leave the machine.
  if (protocol === "http:" && !LOOPBACK.test(hostname)) {
    const message = "browsers keep no log-in over plain HTTP";
    problems.push({ path: ["publicUrl"], message, remedy: "begin it with https://" });
  }
  if (tls === "none" && !LOOPBACK.test(listen.address) && trustedProxies.length === 0) {
    const remedy = "listen on loopback, name the trustedProxies, or give key and certificate";
    problems.push({ path: ["tls"], message: "plain HTTP would be accepted from anywhere", remedy });
  }
  // A page that came by HTTPS may not open a plain WebSocket.
  if (protocol === "https:" && sip.wss.startsWith("ws:")) {
    const message = "a page that came by HTTPS may not open a plain WebSocket";
    problems.push({ path: ["sip", "wss"], message, remedy: "begin it with wss://" });
  }
  if (sessions.idle > sessions.absolute) {
    const remedy = "make absolute at least as long as idle";
    problems.push({ path: ["sessions", "idle"], message: "idle is longer than absolute", remedy });
  }
  return problems;
}

/** Files that must be there, with their keys. */
export function portalFiles({ accounts, secret, tls }: PortalConfig) {
  return [
    { path: ["accounts"], file: accounts },
    { path: ["secret"], file: secret },
    ...(tls === "none"
      ? []
      : [
          { path: ["tls", "key"], file: tls.key },
          { path: ["tls", "certificate"], file: tls.certificate },
        ]),
  ];
}
