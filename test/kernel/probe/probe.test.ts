import { describe, expect, it } from "vitest";
import { judge } from "../../../src/kernel/probe/outcome.js";
import { probeQdisc } from "../../../src/kernel/probe/qdisc.js";
import { probe, runInScratch, type ScratchCommand } from "../../../src/kernel/probe/scratch.js";

describe("what a probe's answer means", () => {
  it.each([
    [0, "", "supported"],
    [2, "Error: Specified qdisc kind is unknown.", "missing in kernel"],
    [1, 'Unknown qdisc "dsmark", hence option "indices" is unparsable', "missing in tool"],
    [2, "Error: TC classifier not found.\nWe have an error talking to the kernel", "missing in kernel"],
    [1, 'Unknown filter "tcindex", hence option "mask" is unparsable', "missing in tool"],
    [2, "Error: Failed to load TC action module.\nWe have an error talking to the kernel", "missing in kernel"],
    [2, "RTNETLINK answers: Operation not permitted", "unknown"],
    [2, "Error: Exclusivity flag on, cannot modify.", "unknown"],
    [1, 'Cannot find device "lo"', "unknown"],
    [1, "unshare: unshare failed: Operation not permitted", "unknown"],
    [undefined, "Command timed out after 5000 milliseconds", "unknown"],
    [2, "Error: Unknown device type.", "missing in kernel"],
    [2, "RTNETLINK answers: Operation not supported", "missing in kernel"],
    [1, "/dev/stdin:1:1-4: Error: syntax error, unexpected string", "missing in tool"],
    [1, "/dev/stdin:1:1-4: Error: Could not process rule: Operation not supported", "missing in kernel"],
  ] as const)("exit code %s, %j: %s", (exitCode, stderr, outcome) => {
    expect(judge({ exitCode, stderr }).outcome).toBe(outcome);
  });

  it("names the line it rests on", () => {
    const stderr = "\nWarning: something else\nError: Specified qdisc kind is unknown.\n";
    expect(judge({ exitCode: 2, stderr }).evidence).toBe("Error: Specified qdisc kind is unknown.");
    expect(judge({ exitCode: 2, stderr: "\nwhat?\n" })).toEqual({ outcome: "unknown", evidence: "what?" });
  });
});

describe("a probe", () => {
  it("asks for DSMARK with the options without which tc asks nobody", async () => {
    const asked: ScratchCommand[] = [];
    await probeQdisc("dsmark", async (command) => {
      asked.push(command);
      return { exitCode: 0, stderr: "" };
    });
    expect(asked.map(({ tool, args }) => `${tool} ${args.join(" ")}`)).toEqual([
      "tc qdisc add dev lo root handle 1: dsmark indices 64 default_index 0 set_tc_index",
    ]);
  });

  it("says that a program is not installed", async () => {
    expect(await probe({ tool: "no-such-program", args: [] })).toEqual({
      outcome: "missing in tool",
      evidence: "no-such-program is not installed",
    });
  });

  it("gives the command its standard input and keeps its exit code", async () => {
    const script = 'read line; echo "$line" >&2; exit 7';
    expect(await runInScratch({ tool: "sh", args: ["-c", script], input: "told\n" })).toEqual({
      exitCode: 7,
      stderr: "told",
      stdout: "",
    });
  });
});
