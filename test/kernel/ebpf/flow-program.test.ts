import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { FLOW_PROGRAM } from "../../../src/kernel/ebpf/flow-program.js";
import { linked, MARKED_MAPS } from "../../../src/kernel/ebpf/linking.js";

const REPOSITORY = fileURLToPath(new URL("../../../", import.meta.url));
/** Compilers differ in what they make; the table is of this one. */
const COMPILER = "clang 14";

function compiler(): string {
  try {
    const version = execFileSync("clang", ["--version"], { encoding: "utf8" });
    execFileSync("llvm-objdump", ["--version"], { stdio: "ignore" });
    return `clang ${/version (\d+)\./.exec(version)?.[1]}`;
  } catch {
    return "no clang and llvm";
  }
}

describe("the flow program", () => {
  const found = compiler();
  const why = found === COMPILER ? "" : ` (skipped: this machine has ${found}, and it takes ${COMPILER})`;

  it.runIf(found === COMPILER)(`is what the compiler makes of flow.bpf.c${why}`, () => {
    const made = execFileSync("node", ["scripts/generate-bpf.mjs", "--print"], { cwd: REPOSITORY, encoding: "utf8" });
    expect(made).toBe(readFileSync(`${REPOSITORY}src/kernel/ebpf/flow-program.ts`, "utf8"));
  });

  it("uses every map and the length of the link header, in every place where they are marked", () => {
    const marks = FLOW_PROGRAM.filter((row) => row.includes(" 5c1ce"));
    expect(new Set(marks.map((row) => row.slice(-8)))).toEqual(
      new Set(["5c1ce000", ...MARKED_MAPS.map((_, index) => `5c1ce10${index}`)]),
    );
    const octets = linked(FLOW_PROGRAM, 14, [41, 42, 43, 44, 45]);
    expect(octets.length).toBe(8 * FLOW_PROGRAM.length);
    const left = FLOW_PROGRAM.filter((_, index) => octets.readUInt32LE(8 * index + 4) >>> 12 === 0x5c1ce);
    expect(left).toEqual([]);
  });

  it("differs by the link header alone", () => {
    const [ethernet, none] = [linked(FLOW_PROGRAM, 14, [3, 4, 5, 6, 7]), linked(FLOW_PROGRAM, 0, [3, 4, 5, 6, 7])];
    const differing = [...ethernet].flatMap((octet, at) => (octet === none[at] ? [] : [[octet, none[at]]]));
    const marked = FLOW_PROGRAM.filter((row) => row.endsWith("5c1ce000")).length;
    expect(differing).toEqual(Array.from({ length: marked }, () => [14, 0]));
  });
});
