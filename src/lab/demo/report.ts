/** The demo's result for a reader who has a minute. Pure. */
import { describeDscp } from "../../model/phb.js";
import type { Dscp } from "../../model/units.js";
import { combineDirections, type MediaFigures } from "../media.js";
import type { MatchedLadder } from "../steps.js";
import type { Check } from "./checks.js";
import type { Evidence, RouterSnapshot } from "./evidence.js";
import { reportOf, table } from "./report-parts.js";

export function demoReport(checks: readonly Check[], evidence: Evidence | undefined): string {
  const parts =
    evidence === undefined
      ? []
      : [
          ladderPart("Set-up, as captured on the wire (ms after the first message)", evidence.steps.setup),
          ladderPart("Teardown", evidence.steps.teardown),
          kernelPart("R1", evidence.installed.r1),
          kernelPart("R2", evidence.installed.r2),
          mediaPart(evidence),
          leftPart(evidence),
          usagePart(evidence),
          refusalPart(evidence),
        ];
  return reportOf(parts, checks);
}

const title = (text: string): string => `== ${text}`;

function ladderPart(heading: string, { steps, missing }: MatchedLadder): string {
  const seen = steps.map(({ n, ms, from, to, protocol, message }) => [n, ms, `${from} > ${to}`, protocol, message]);
  const lost = missing.map(({ n, from, to, protocol, message }) => [n, "-", `${from} > ${to}`, protocol, message]);
  const rows = [...seen, ...lost].sort((left, right) => Number(left[0]) - Number(right[0]));
  return [title(heading), table(rows)].join("\n");
}

function kernelPart(router: string, { flows, classes, nft }: RouterSnapshot): string {
  const flowRows = flows.map(({ flow, dscp, inProfile, outOfProfile }) => [
    flow,
    describeDscp(dscp as Dscp),
    inProfile.packets,
    inProfile.octets,
    outOfProfile.packets,
  ]);
  const classRows = classes.map(({ interface: name, kind, rate, sent, dropped }) => [
    name,
    kind,
    rate / 1000,
    sent.packets,
    sent.octets,
    dropped,
  ]);
  const elements = nft
    .split("\n")
    .filter((line) => /counter packets \d+ bytes \d+.* : 0x/.test(line))
    .map(
      (line) =>
        `  ${line
          .replace(/elements = \{/, "")
          .replace(/[,}\s]+$/, "")
          .trim()}`,
    );
  return [
    title(`In the kernel of ${router} during the assured call`),
    table([["flow", "marked", "packets", "octets (L3)", "out of profile"], ...flowRows]),
    table([["interface", "class", "kbit/s", "packets", "octets (L2)", "dropped"], ...classRows]),
    ...(elements.length === 0 ? [] : ["  nft list table inet sluice:", ...elements]),
  ].join("\n");
}

function mediaPart({ media }: Evidence): string {
  const row = (name: string, figures: MediaFigures): readonly (string | number)[] => [
    name,
    figures.lossPct,
    figures.p50Ms,
    figures.p99Ms,
    figures.jitterMs,
    figures.dscp.map((value) => describeDscp(value as Dscp)).join(" ") || "-",
  ];
  const { bestEffort, assured } = media;
  return [
    title("Media through the flooded bottleneck (worse direction; delay one way)"),
    table([
      ["call", "loss %", "p50 ms", "p99 ms", "jitter ms", "DSCP at the receiver"],
      row("best effort", combineDirections(bestEffort.toCallee, bestEffort.toCaller)),
      row("assured", combineDirections(assured.toCallee, assured.toCaller)),
    ]),
  ].join("\n");
}

const leftPart = ({ left }: Evidence): string =>
  `${title("After BYE")}\n  ${left} session elements left in the kernels of R1 and R2`;

function usagePart({ usage, media }: Evidence): string {
  const rows = usage.map(({ side, reporter, durationMs, packets, octets, cause }) => [
    side,
    reporter,
    Math.round(durationMs) / 1000,
    packets,
    octets,
    cause,
  ]);
  const received = media.assured.toCallee.octets + media.assured.toCaller.octets;
  return [
    title("Usage records of the assured call, as the clearinghouse stored them"),
    table([["side", "reporter", "seconds", "packets", "octets (L3)", "ended by"], ...rows]),
    `  the receivers counted ${received} octets at the same layer`,
  ].join("\n");
}

const refusalPart = ({ status, refusal }: Evidence): string =>
  [
    title("A third call, while the pool is full"),
    `  ${status.refused} ${refusal.reason}`,
    ...refusal.explanation.map((line) => `  ${line}`),
  ].join("\n");
