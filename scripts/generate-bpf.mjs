// Makes src/kernel/ebpf/flow-program.ts from flow.bpf.c: `node scripts/generate-bpf.mjs`, or with --print to stdout. Takes clang
// and llvm (Debian 12: clang 14). CLANG and LLVM_OBJDUMP name others.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const FOLDER = fileURLToPath(new URL("../src/kernel/ebpf/", import.meta.url));
const FLAGS = ["-O2", "-target", "bpf", "-mcpu=v3", "-g0", "-Wall", "-Wextra", "-Werror"];
const { CLANG: clang = "clang", LLVM_OBJDUMP: objdump = "llvm-objdump" } = process.env;

/** What instructions mean, without addresses and with names in the place of marks. */
const NAMES = new Map([
  ["1545396224", "link header"],
  ["1545396480 ll", "map flows4"],
  ["1545396481 ll", "map flows6"],
  ["1545396482 ll", "map ports"],
  ["1545396483 ll", "map servers"],
  ["1545396484 ll", "value of the map settings"],
]);

const named = (text) => text.replace(/\d{10}( ll)?$/, (mark) => NAMES.get(mark) ?? mark).replace(/ <\w+>$/, "");

/** `code destination source offset immediate` of eight octets, numbers as they are read, not as they lie in memory. */
function rowOf(octets) {
  const [code, registers, ...rest] = octets;
  const number = (bytes) => [...bytes].reverse().join("");
  return [code, registers[1], registers[0], number(rest.slice(0, 2)), number(rest.slice(2))].join(" ");
}

function rowsOf(listing) {
  return [...listing.matchAll(/^\s+\d+:\t((?:[0-9a-f]{2} )*[0-9a-f]{2})\t(.*)$/gm)].flatMap(([, hex, meaning]) => {
    const octets = hex.split(" ");
    const first = `  "${rowOf(octets.slice(0, 8))}", // ${named(meaning)}`;
    return octets.length === 8 ? [first] : [first, `  "${rowOf(octets.slice(8))}",`];
  });
}

function compile() {
  const folder = mkdtempSync(join(tmpdir(), "sluice-bpf-"));
  try {
    const object = join(folder, "flow.o");
    execFileSync(clang, [...FLAGS, "-c", "flow.bpf.c", "-o", object], { cwd: FOLDER });
    return execFileSync(objdump, ["-d", "--section=classifier", object], { encoding: "utf8" });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const text = `/**
 * The instructions of flow.bpf.c, made by \`node scripts/generate-bpf.mjs\`; not written by hand. A row is an instruction: code,
 * destination and source register, offset, immediate, all hexadecimal.
 */
export const FLOW_PROGRAM: readonly string[] = [
${rowsOf(compile()).join("\n")}
];
`;
if (process.argv[2] === "--print") process.stdout.write(text);
else writeFileSync(join(FOLDER, "flow-program.ts"), text);
