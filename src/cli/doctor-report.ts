/** Findings as a page for a person: what is wrong in full, worst first; what is well, shortly. Pure. */
import type { Finding, Severity } from "../daemon/preflight.js";
import { clean } from "./table.js";

export interface ReportOptions {
  /** What is well line by line, too. */
  readonly all: boolean;
  readonly color: boolean;
}

const ORDER = ["error", "warning", "note"] as const;
const LABELS: Readonly<Record<Severity, string>> = {
  error: "ERROR",
  warning: "WARNING",
  note: "NOTE",
  unknown: "NOT SEEN",
  ok: "OK",
};
const WIDTH = 8;
const COLORS: Readonly<Record<Severity, string>> = {
  error: "\u001b[1;31m",
  warning: "\u001b[1;33m",
  note: "\u001b[1m",
  unknown: "\u001b[1;35m",
  ok: "\u001b[32m",
};
const PLAIN = "\u001b[0m";
const LINE = 100;

/** The page, each line ended. */
export function reportText(findings: readonly Finding[], options: ReportOptions): string {
  const blocks = [
    ...ORDER.flatMap((severity) => findings.filter((finding) => finding.severity === severity)).map((finding) =>
      block(finding, options),
    ),
    ...unseenBlocks(findings, options),
    ...wellBlocks(findings, options),
    summary(findings),
  ];
  return `${blocks.join("\n\n")}\n`;
}

const label = (severity: Severity, { color }: ReportOptions): string => {
  const text = LABELS[severity].padEnd(WIDTH);
  return color ? `${COLORS[severity]}${text}${PLAIN}` : text;
};

function block({ severity, what, id, why, remedy, detail }: Finding, options: ReportOptions): string {
  const lines = [
    `${label(severity, options)}  ${clean(what)}  [${id}]`,
    ...told("why", why),
    ...told("mend", remedy),
    ...told("more", detail),
  ];
  return lines.join("\n");
}

const told = (title: string, text: string): readonly string[] =>
  text === ""
    ? []
    : text
        .split("\n")
        .map((line, index) => `${" ".repeat(WIDTH)}  ${(index === 0 ? title : "").padEnd(4)}  ${clean(line)}`);

/** What could not be looked at for the same reason is told once. */
function unseenBlocks(findings: readonly Finding[], options: ReportOptions): readonly string[] {
  return [...groupByReason(findings).values()].map((group) => {
    const [first] = group;
    if (first === undefined) return "";
    if (group.length === 1) return block(first, options);
    const names = group.map(({ id }) => id).join(", ");
    return [
      `${label("unknown", options)}  ${group.length} checks`,
      ...told("why", first.why),
      ...told("mend", first.remedy),
      ...wrapped("ids", names),
    ].join("\n");
  });
}

function groupByReason(findings: readonly Finding[]): ReadonlyMap<string, readonly Finding[]> {
  const groups = new Map<string, Finding[]>();
  for (const finding of findings) {
    if (finding.severity !== "unknown") continue;
    const key = `${finding.why}\n${finding.remedy}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [finding]);
    else group.push(finding);
  }
  return groups;
}

function wellBlocks(findings: readonly Finding[], options: ReportOptions): readonly string[] {
  const well = findings.filter(({ severity }) => severity === "ok");
  if (well.length === 0) return [];
  if (options.all) return [well.map((finding) => block(finding, options)).join("\n")];
  return [
    [`${label("ok", options)}  ${well.length} checks`, ...wrapped("ids", well.map(({ id }) => id).join(", "))].join(
      "\n",
    ),
  ];
}

/** Breaks at blanks. */
function wrapped(title: string, text: string): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last === undefined || last.length + word.length + 1 > LINE) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return told(title, lines.join("\n"));
}

function summary(findings: readonly Finding[]): string {
  const count = (severity: Severity): number => findings.filter((finding) => finding.severity === severity).length;
  const many = (number: number, word: string): string => `${number} ${word}${number === 1 ? "" : "s"}`;
  return [
    many(count("error"), "error"),
    many(count("warning"), "warning"),
    many(count("note"), "note"),
    `${count("unknown")} not seen`,
    `${count("ok")} ok`,
  ].join(", ");
}
