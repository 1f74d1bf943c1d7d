/** What the answer of a tool to a probe means. Pure. */

/** `missing in tool`: the program of this machine does not know it, so nobody can tell whether the kernel does. */
export type ProbeOutcome = "supported" | "missing in kernel" | "missing in tool" | "unknown";

export interface ProbeResult {
  readonly outcome: ProbeOutcome;
  /** The line that the judgement rests on; empty where there was none. */
  readonly evidence: string;
}

/** What a finished command left. */
export interface CommandResult {
  /** Undefined if the program could not be started, or did not end in time. */
  readonly exitCode: number | undefined;
  readonly stderr: string;
  /** Where somebody is to read it. */
  readonly stdout?: string;
}

/** First match rules. The programs run in the C locale. */
const MEANINGS: readonly (readonly [RegExp, ProbeOutcome])[] = [
  // Before all others: without the right to ask, an answer says nothing about the kernel.
  [/Operation not permitted|Permission denied|must be root/i, "unknown"],
  [/unshare: /, "unknown"],
  [/Unknown qdisc "|Unknown filter "|Unknown action "|hence option ".*" is unparsable/, "missing in tool"],
  [/Error: syntax error|^Usage: |unknown option|not recogni[sz]ed|bad command line/im, "missing in tool"],
  [/What is "|Unknown device type "|Error: either "dev" is duplicate/, "missing in tool"],
  [/Specified qdisc kind is unknown|TC classifier not found|Failed to load TC action module/, "missing in kernel"],
  [/Operation not supported|Protocol not supported|Address family not supported/, "missing in kernel"],
  [/Unknown device type\.|No such file or directory|Could not process rule/, "missing in kernel"],
  [/Kernel support protocol|Kernel module .* not found|can't initialize .* table|Couldn't load /, "missing in kernel"],
];

/** The evidence is the line that matched, else the first line that says anything. */
export function judge({ exitCode, stderr }: CommandResult): ProbeResult {
  const lines = stderr.split("\n").map((line) => line.trim());
  const first = lines.find((line) => line !== "") ?? "";
  if (exitCode === 0) return { outcome: "supported", evidence: "" };
  if (exitCode === undefined) return { outcome: "unknown", evidence: first };
  for (const [pattern, outcome] of MEANINGS) {
    const evidence = lines.find((line) => pattern.test(line));
    if (evidence !== undefined) return { outcome, evidence };
  }
  return { outcome: "unknown", evidence: first };
}
