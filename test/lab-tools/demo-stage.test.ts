/** What every demo does around itself; instead of a lab there is a script that writes down what it was told. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { readDemoArgs, readSeconds } from "../../src/lab/demo/arguments.js";
import { isHeld, reportOf, table } from "../../src/lab/demo/report-parts.js";
import { type Demo, playDemo, type Stage, showUsage } from "../../src/lab/demo/stage.js";

let root: string;
let printed: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "sluice-stage-"));
  mkdirSync(join(root, "scripts"));
  writeFileSync(join(root, "scripts/netns-lab.sh"), `echo "$*" >> '${root}/told'\n`);
  printed = "";
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    printed += String(text);
    return true;
  });
  vi.spyOn(process.stderr, "write").mockReturnValue(true);
});
afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
  rmSync(root, { recursive: true, force: true });
});

const told = (): readonly string[] => readFileSync(join(root, "told"), "utf8").trim().split("\n");
const args = (...given: string[]) => readDemoArgs("stage-test", ["picture"], given)!;
const demoOf = (change: Partial<Demo<string>>): Demo<string> => ({
  root,
  run: async () => "seen",
  check: (evidence) => [{ name: "it ran", ok: evidence === "seen", detail: "" }],
  report: (checks, evidence) => `${evidence}: ${checks.map(({ name, detail }) => `${name} ${detail}`.trim())}`,
  document: (checks, evidence) => ({ ok: isHeld(checks), evidence }),
  ...change,
});

describe("arguments of demos", () => {
  it("has those of all demos and the demo's own", () => {
    expect(args()).toEqual({ json: false, prefix: "stage-test", keep: undefined, own: {} });
    expect(args("--json", "--prefix", "other", "--keep", "here", "--picture", "file")).toEqual({
      ...{ json: true, prefix: "other", keep: "here" },
      own: { picture: "file" },
    });
  });

  it.each([[["--help"]], [["--pictures", "x"]], [["something"]], [["--picture"]], [["--json=yes"]]])(
    "shows the usage for %j",
    (given) => {
      expect(readDemoArgs("stage-test", ["picture"], given)).toBeUndefined();
    },
  );

  it("takes whole seconds within limits, and 10 where none are written", () => {
    const read = [undefined, "6", "60", "5", "61", "6.5", "x", ""].map((text) => readSeconds(text, 6, 60));
    expect(read).toEqual([10, 6, 60, undefined, undefined, undefined, undefined, undefined]);
  });

  it("ends with 2 after the usage", () => {
    showUsage("usage");
    expect([process.exitCode, printed]).toEqual([2, ""]);
  });
});

describe("the stage", () => {
  it("raises a lab as the demo says, and takes it and its files away", async () => {
    let stage: Stage | undefined;
    const run = async (given: Stage) => {
      stage = given;
      writeFileSync(join(given.work, "capture"), "");
      expect(told()).toEqual(["--prefix stage-test down", "--prefix stage-test up --portals"]);
      return "seen";
    };
    await playDemo(args(), demoOf({ prepare: async () => ["--portals"], run }));
    expect(told().slice(2)).toEqual(["--prefix stage-test down"]);
    expect(existsSync(stage!.work)).toBe(false);
    expect([process.exitCode, printed]).toEqual([0, "seen: it ran"]);
  });

  it("keeps its files where it is told to, and prints one JSON document", async () => {
    const keep = join(root, "kept");
    const run = async ({ work }: Stage) => {
      writeFileSync(join(work, "capture"), "");
      return "seen";
    };
    await playDemo(args("--json", "--keep", keep), demoOf({ run, keepsLogs: true }));
    expect(readdirSync(keep)).toEqual(["capture"]);
    expect(JSON.parse(printed)).toEqual({ ok: true, evidence: "seen" });
  });

  it("takes the lab away and ends with 1 when the demo breaks off, and says where", async () => {
    const run = () => Promise.reject(new Error("no answer\nand more"));
    await playDemo(args(), demoOf({ run }));
    expect(told().at(-1)).toBe("--prefix stage-test down");
    expect([process.exitCode, printed]).toEqual([1, "undefined: the demo ran to its end no answer"]);
  });

  it("ends with 1 when a check does not hold", async () => {
    await playDemo(args(), demoOf({ run: async () => "something else" }));
    expect([process.exitCode, printed]).toEqual([1, "something else: it ran"]);
  });

  it("is ended by a signal", async () => {
    const run = ({ signal }: Stage) =>
      new Promise<string>((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(new Error("whatever it was doing")));
        process.emit("SIGTERM");
      });
    await playDemo(args(), demoOf({ run }));
    expect(told().at(-1)).toBe("--prefix stage-test down");
    expect([process.exitCode, printed]).toEqual([1, "undefined: the demo ran to its end interrupted"]);
  });
});

describe("reports", () => {
  it("has columns as wide as their widest cell, numbers to the right", () => {
    expect(
      table([
        ["a", 1, "x"],
        ["long", 100, ""],
      ]),
    ).toBe("  a       1  x\n  long  100");
  });

  it("fails without checks", () => {
    expect(reportOf(["part"], [])).toContain("The demo FAILED.");
    expect(reportOf([], [{ name: "n", ok: true, detail: "d" }])).toBe("== Checks\n  ok  n  d\nAll of it holds.\n");
  });
});
