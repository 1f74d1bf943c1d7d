/** A machine made of what tools printed and files held on real ones. */
import type { Finding } from "../../../src/kernel/preflight/finding.js";
import type { Machine, ToolRun } from "../../../src/kernel/preflight/machine.js";
import { preflight } from "../../../src/kernel/preflight/preflight.js";
import { GENERAL_SUBJECT, type Subject } from "../../../src/kernel/preflight/subject.js";
import type { CommandResult } from "../../../src/kernel/probe/outcome.js";
import type { ScratchCommand } from "../../../src/kernel/probe/scratch.js";
import { bitsPerSecond } from "../../../src/model/units.js";

export interface Recording {
  readonly node?: string;
  /** By command line; a text is standard output of a success. What is not here is not installed. */
  readonly tools?: Readonly<Record<string, string | ToolRun>>;
  readonly files?: Readonly<Record<string, string>>;
  readonly directories?: Readonly<Record<string, readonly string[]>>;
  /** Servers that accept connections. */
  readonly open?: readonly string[];
}

export const failed = (stderr: string, exitCode = 1): ToolRun => ({ status: "exited", exitCode, stdout: "", stderr });

export function recorded({
  node = "20.19.2",
  tools = {},
  files = {},
  directories = {},
  open = [],
}: Recording): Machine {
  return {
    nodeVersion: node,
    run: async (program, args) => {
      const found = tools[[program, ...args].join(" ")];
      if (found === undefined) return { status: "absent" };
      return typeof found === "string" ? { status: "exited", exitCode: 0, stdout: found, stderr: "" } : found;
    },
    read: async (path) => files[path],
    list: async (path) => directories[path] ?? [],
    connects: async (host, port) => open.includes(`${host}:${port}`),
  };
}

export const RULESET = "nft --json --terse list ruleset";
export const LINKS = "ip -json -details link show";
export const QDISCS = "tc -json qdisc show";
export const RULES4 = "ip -4 -json -details rule show";
export const RULES6 = "ip -6 -json -details rule show";

/** As nft prints a ruleset of these objects. */
export const ruleset = (...objects: readonly object[]): string =>
  JSON.stringify({
    nftables: [{ metainfo: { version: "1.0.6", release_name: "Lester Gooch #5", json_schema_version: 1 } }, ...objects],
  });

export const SUBJECT: Subject = {
  ...GENERAL_SUBJECT,
  isConfigured: true,
  interfaces: [{ name: "wan0", rate: bitsPerSecond(20e6) }],
};

export interface Examination extends Recording {
  readonly subject?: Partial<Subject>;
  /** What a probe leaves; success by default. */
  readonly probe?: (command: ScratchCommand) => CommandResult;
  readonly netlink?: Parameters<typeof preflight>[0]["netlink"];
  readonly ebpf?: Parameters<typeof preflight>[0]["ebpf"];
}

/** What preflight finds with this id. */
export async function find(id: string, examination: Examination): Promise<readonly Finding[]> {
  const findings = await examine(examination);
  return findings.filter((finding) => finding.id === id);
}

export function examine({
  subject = {},
  probe,
  netlink,
  ebpf,
  ...recording
}: Examination): Promise<readonly Finding[]> {
  return preflight({
    machine: recorded(recording),
    scratch: async (command) => probe?.(command) ?? { exitCode: 0, stderr: "" },
    subject: { ...SUBJECT, ...subject },
    netlink: netlink ?? (async () => ({ outcome: "supported", evidence: "" })),
    ebpf: ebpf ?? (async () => ({ outcome: "supported", evidence: "" })),
  });
}
