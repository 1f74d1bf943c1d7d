/** Schema of a SIP proxy. */
import { z } from "zod";
import { millis } from "../model/units.js";
import { type CrossProblem, commonKeys, duplicates } from "./common.js";
import type { PathContext } from "./paths.js";
import { clientType, count, domainName, sipUri, socketAddress, time, userName } from "./scalars.js";
import { checkListeners, connectionKeys, listenKeys, webSocketKeys } from "./sip-listeners.js";
import { checkSipUsers, sipUserKeys } from "./sip-users.js";

const timerKeys = () =>
  z
    .strictObject({
      t1: time().default(millis(500)).describe("RFC 3261 T1: estimate of the round-trip time."),
      t2: time().default(millis(4000)).describe("RFC 3261 T2: longest interval between retransmissions."),
      t4: time().default(millis(5000)).describe("RFC 3261 T4: longest time a message stays in the network."),
      c: time().default(millis(185_000)).describe("RFC 3261 timer C: longest time an INVITE may ring."),
    })
    .default({ t1: millis(500), t2: millis(4000), t4: millis(5000), c: millis(185_000) });

const sipKeys = (context: PathContext) =>
  z.strictObject({
    ...listenKeys(),
    websocket: webSocketKeys(context).describe("SIP over WebSocket, for browsers (RFC 7118)."),
    connections: connectionKeys().describe("What connections may cost."),
    domains: z.array(domainName()).min(1).max(256).describe("Domains whose users this proxy serves."),
    users: z
      .record(userName(), sipUri())
      .default({})
      .describe("Where each user of the domains is reached: user name to SIP URI."),
    routes: z
      .record(domainName(), sipUri())
      .default({})
      .describe("Where other domains are reached: domain name to the SIP URI of its proxy."),
    ...sipUserKeys(context),
    timers: timerKeys().describe("Timers of SIP transactions."),
    maxTransactions: count(1, 1_000_000)
      .default(50_000)
      .describe("Most transactions at a time; past it 503 is answered."),
  });

const pdpKeys = () =>
  z.strictObject({
    servers: z.array(socketAddress()).min(1).max(8).describe("Policy servers, in order of preference."),
    clientType: clientType().default(0x5349).describe("COPS client-type, the same as at the policy server."),
    timeout: time().default(millis(2000)).describe("Longest time to wait for a decision."),
    onLoss: z
      .enum(["refuse", "bestEffort"])
      .default("refuse")
      .describe("Treatment of new sessions while no policy server answers."),
  });

export const proxySchema = (context: PathContext) =>
  z.strictObject({
    ...commonKeys("proxy", context),
    sip: sipKeys(context).describe("The SIP side."),
    pdp: pdpKeys().describe("The policy server that is asked."),
    linger: time().default(millis(150)).describe("Media in flight at hang-up keeps its class for this long."),
  });

export type ProxyConfig = z.output<ReturnType<typeof proxySchema>>;

export function checkProxy(config: ProxyConfig): readonly CrossProblem[] {
  const { sip } = config;
  const { t1, t2, c } = sip.timers;
  const problems: CrossProblem[] = [
    ...checkListeners(sip),
    ...checkSipUsers(sip),
    ...duplicates(
      sip.listen,
      "address",
      (at) => `${at.address}:${at.port}`,
      (index) => ["sip", "listen", index],
    ),
    ...duplicates(
      sip.domains,
      "domain",
      (domain) => domain,
      (index) => ["sip", "domains", index],
    ),
  ];
  for (const domain of Object.keys(sip.routes).filter((name) => sip.domains.includes(name))) {
    const message = `domain "${domain}" is served here and routed elsewhere`;
    problems.push({ path: ["sip", "routes", domain], message, remedy: "take it out of routes or out of domains" });
  }
  if (t2 < t1) {
    problems.push({
      path: ["sip", "timers", "t2"],
      message: "t2 is shorter than t1",
      remedy: "RFC 3261 uses 500 ms and 4 s",
    });
  }
  // RFC 3261 §16.6: timer C must be larger than three minutes; shorter is allowed here for tests, not shorter than B.
  if (c < 64 * t1) {
    const remedy = "RFC 3261 §16.6 wants more than 3 min";
    problems.push({ path: ["sip", "timers", "c"], message: "timer c is shorter than 64 times t1", remedy });
  }
  return problems;
}
