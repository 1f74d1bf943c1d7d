/** The result of the demo of the game, for a reader and for a program. Pure. */
import type { Check } from "../../src/lab/demo/checks.js";
import { type Cell, isHeld, reportOf, table } from "../../src/lab/demo/report-parts.js";
import type { MediaFigures } from "../../src/lab/media.js";
import { describeDscp } from "../../src/model/phb.js";
import type { Dscp } from "../../src/model/units.js";
import { describeHop } from "./checks.js";
import type { Evidence, LinkShown } from "./evidence.js";

/** `evidence` is undefined when the demo broke off; the checks then say where. */
export function gameDocument(checks: readonly Check[], evidence: Evidence | undefined) {
  return { ok: isHeld(checks), checks, ...evidence };
}

export function gameReport(checks: readonly Check[], evidence: Evidence | undefined): string {
  const parts =
    evidence === undefined
      ? []
      : [
          grantedPart(evidence),
          wirePart(evidence),
          pagesPart(evidence),
          classesPart(evidence),
          pathsPart(evidence),
          ladderPart(evidence),
          recordsPart(evidence),
        ];
  return reportOf(parts, checks);
}

const section = (title: string, rows: readonly (readonly Cell[])[]): string => `== ${title}\n${table(rows)}`;

const grantedPart = ({ granted, sessions, answerMs }: Evidence): string =>
  section(`Granted for game-fps, kbit/s at layer 3; in session ${answerMs} ms after "Accept"`, [
    ["", "", "to callee", "to caller", "PHB"],
    ...granted.map(({ by, result, rates, phb }) => [`${by} (page)`, result, ...rates.split(" / ").map(Number), phb]),
    ...sessions.map(({ server, result, toCallee, toCaller, phb }) => [
      `${server} (show sessions)`,
      result,
      toCallee / 1000,
      toCaller / 1000,
      phb,
    ]),
  ]);

function wirePart({ wire, seconds, floodTimes }: Evidence): string {
  const row = (name: string, media: MediaFigures): readonly Cell[] => [
    name,
    media.sent,
    media.lossPct,
    ...[media.p50Ms, media.p99Ms, media.maxMs, media.jitterMs],
    media.dscp.map((value) => describeDscp(value as Dscp)).join(", "),
  ];
  return section(`On the wire for ${seconds} s, with a flood of ${floodTimes} times the link (captures at both ends)`, [
    ["", "packets", "loss %", "p50 ms", "p99 ms", "max ms", "jitter ms", "marked"],
    row("game to callee", wire.assured.toCallee),
    row("game to caller", wire.assured.toCaller),
    row("best effort to callee", wire.bestEffort.toCallee),
    row("best effort to caller", wire.bestEffort.toCaller),
  ]);
}

function pagesPart({ pages }: Evidence): string {
  const figures = ({ roundTrip, jitter, lossIn }: LinkShown): readonly Cell[] => [
    roundTrip ?? "-",
    jitter ?? "-",
    lossIn === undefined ? "-" : Math.round(lossIn * 1000) / 10,
  ];
  return section("As the pages measured it (the last second; round trip and jitter with the browser's own share)", [
    ["", "", "round trip ms", "jitter ms", "loss in %", "received", "of"],
    ...pages.flatMap(({ user, assured, bestEffort, counters, bestEffortCounters }) => [
      [user, "game", ...figures(assured), counters.received, counters.expected],
      [user, "best effort", ...figures(bestEffort), bestEffortCounters.received, bestEffortCounters.expected],
    ]),
  ]);
}

const classesPart = ({ routers }: Evidence): string =>
  section("The kernel's classes towards the core (layer 2)", [
    ["", "", "kbit/s", "packets", "octets", "dropped"],
    ...routers.flatMap(({ router, classes }) =>
      classes
        .filter(({ interface: device }) => device === "core")
        .map(({ name, rate, sent, dropped }) => [router, name, rate / 1000, sent.packets, sent.octets, dropped]),
    ),
  ]);

const pathsPart = ({ paths }: Evidence): string =>
  section("The path as the routers measure it under the flood (STAMP, RFC 8762)", [
    ["", "pool", "", "probes", "latency ms", "jitter ms", "loss %"],
    ...paths.map(({ server, pool, direction, samples, latency, jitter, loss }) => [
      ...[server, pool, direction],
      ...[samples, latency, jitter, Math.round(loss * 100_000) / 1000],
    ]),
  ]);

const ladderPart = ({ hops }: Evidence): string =>
  ["== SIP messages of the session, set-up / teardown", ...hops.map((hop) => `  ${describeHop(hop)}`)].join("\n");

const recordsPart = ({ records }: Evidence): string =>
  section("Billing records, as each portal shows its user (octets at layer 3)", [
    ["", "class", "seconds", "in", "out", "price", "shares"],
    ...records.map(({ user, sessionClass, seconds, octetsIn, octetsOut, price, shares }) => [
      ...[user, sessionClass],
      ...[seconds, octetsIn, octetsOut],
      price,
      shares.map(({ provider, amount }) => `${provider} ${amount}`).join(", "),
    ]),
  ]);
