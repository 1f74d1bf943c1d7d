/** The result of the demo of pools, for a reader and for a program. Pure. */
import type { Check } from "../../src/lab/demo/checks.js";
import { isHeld, reportOf, table } from "../../src/lab/demo/report-parts.js";
import { combineDirections } from "../../src/lab/media.js";
import type { CallEvidence, Evidence, ReservedEvidence } from "./evidence.js";

/** `evidence` is undefined when the demo broke off; the checks then say where. */
export function poolsDocument(checks: readonly Check[], evidence: Evidence | undefined) {
  return { ok: isHeld(checks), checks, ...evidence };
}

export function poolsReport(checks: readonly Check[], evidence: Evidence | undefined): string {
  const parts =
    evidence === undefined
      ? []
      : [
          momentsPart(evidence),
          reservedPart(evidence),
          callsPart(evidence),
          refusalPart(evidence),
          outerPart(evidence),
        ];
  return reportOf(parts, checks);
}

const momentsPart = ({ moments }: Evidence): string =>
  ["== What happened (ms since the recording began)", table(moments.map(({ ms, what }) => [ms, what]))].join("\n");

function reservedPart({ before, grown, after, growMs }: Evidence): string {
  const sum = (rates: readonly number[] = []): string => rates.map((rate) => Math.round(rate / 1000)).join("/");
  const row = (when: string, { pools, granted, classes }: ReservedEvidence): readonly (string | number)[] => [
    when,
    ...Object.values(pools).map((rate) => rate / 1000),
    ...Object.values(granted).map(sum),
    ...Object.values(classes).map(sum),
  ];
  const routers = Object.keys(before.granted);
  return [
    "== Reserved on the whole way, kbit/s (RSVP at layer 3, each direction; HTB at layer 2, towards the next router)",
    table([
      [
        "",
        ...Object.keys(before.pools),
        ...routers.map((role) => `RSVP ${role}`),
        ...routers.map((role) => `HTB ${role}`),
      ],
      row("before anybody called", before),
      row("after pool resize", grown),
      row("after the last call", after),
    ]),
    `  grown ${growMs} ms after the command`,
  ].join("\n");
}

function callsPart({ assured, refused, sixth }: Evidence): string {
  const row = ({ call, status, answerMs, media }: CallEvidence): readonly (string | number)[] => {
    const figures = media === undefined ? undefined : combineDirections(media.toCallee, media.toCaller);
    const heard = figures === undefined ? ["-", "-", "-"] : [figures.sent, figures.lossPct, figures.p99Ms];
    return [`call ${call}`, status, answerMs, ...heard];
  };
  return [
    "== Calls through the flooded link (both directions; the worse delay)",
    table([["", "answer", "after ms", "packets", "loss %", "p99 ms"], ...[...assured, refused, sixth].map(row)]),
  ].join("\n");
}

const refusalPart = ({ refused, explanation }: Evidence): string =>
  [
    `== sluice explain ${refused.session}`,
    `  ${refused.status} ${refused.warning}`,
    ...explanation.map((line) => `  ${line}`),
  ].join("\n");

const outerPart = ({ outer }: Evidence): string =>
  [
    "== The calls on the core link, as tcpdump captured them",
    table(outer.map(({ flow, packets, dscp, inner }) => [flow, packets, `DSCP ${dscp}`, `${inner} flows inside`])),
  ].join("\n");
