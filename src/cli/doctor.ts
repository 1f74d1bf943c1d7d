/** `sluice doctor`: what is wrong with this machine and the roles on it; each finding with its remedy. */
import { accessSync, constants, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { z } from "zod";
import { SystemError } from "../model/errors.js";
import { API_VERSION, type CliIo, EXIT, type OutputFormat, writeJson } from "./io.js";
import { askAll, findSockets, type TargetOptions } from "./roles.js";
import { renderTable } from "./table.js";

interface Finding {
  readonly check: string;
  readonly ok: boolean;
  readonly detail: string;
  readonly remedy: string;
}

export async function doctor(options: TargetOptions & { readonly output: OutputFormat }, io: CliIo): Promise<number> {
  const findings = [checkNode(), ...checkPrograms(io), ...checkForwarding(), ...(await checkRoles(options))];
  if (options.output === "json") writeJson(io, { apiVersion: API_VERSION, kind: "doctor", items: findings });
  else {
    const columns = [
      { title: "CHECK", align: "left", cell: (finding: Finding) => finding.check },
      { title: "STATE", align: "left", cell: (finding: Finding) => (finding.ok ? "ok" : "WRONG") },
      { title: "DETAIL", align: "left", cell: (finding: Finding) => finding.detail },
      { title: "REMEDY", align: "left", cell: (finding: Finding) => (finding.ok ? "" : finding.remedy) },
    ] as const;
    io.out(renderTable(columns, findings, { color: io.isTerminal && io.env.NO_COLOR === undefined }));
  }
  return findings.every(({ ok }) => ok) ? EXIT.ok : EXIT.findings;
}

function checkNode(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const ok = major > 20 || (major === 20 && minor >= 19);
  return { check: "node", ok, detail: process.versions.node, remedy: "install Node.js 20.19 or later" };
}

function checkPrograms(io: CliIo): readonly Finding[] {
  const directories = [...(io.env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin"];
  const packages = { nft: "nftables", tc: "iproute2", ip: "iproute2" };
  return Object.entries(packages).map(([program, from]) => {
    const found = directories.map((directory) => join(directory, program)).find(isExecutable);
    const detail = found ?? "not found";
    return { check: program, ok: found !== undefined, detail, remedy: `a router needs it: apt-get install ${from}` };
  });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function checkForwarding(): readonly Finding[] {
  const switches = {
    "net.ipv4.ip_forward": "/proc/sys/net/ipv4/ip_forward",
    "net.ipv6.conf.all.forwarding": "/proc/sys/net/ipv6/conf/all/forwarding",
  };
  return Object.entries(switches).map(([name, path]) => {
    const value = readOr(path, "unreadable");
    return { check: name, ok: value === "1", detail: value, remedy: `a router needs it: sysctl -w ${name}=1` };
  });
}

function readOr(path: string, fallback: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return fallback;
  }
}

const healthSchema = z.object({ status: z.string(), problems: z.array(z.string()) });

async function checkRoles(options: TargetOptions): Promise<readonly Finding[]> {
  try {
    const { answers, failures } = await askAll(findSockets(options), "/v1/health");
    const remedy = "see the role's log";
    return [
      ...answers.map(({ role, value }) => {
        const health = healthSchema.safeParse(value).data;
        const detail = health === undefined ? "no health told" : [health.status, ...health.problems].join("; ");
        return { check: `role ${role}`, ok: health?.status === "ok", detail, remedy };
      }),
      ...failures.map(({ message }) => ({ check: "role", ok: false, detail: message, remedy: "start it again" })),
    ];
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    return [{ check: "roles", ok: false, detail: error.message, remedy: error.remedy ?? "" }];
  }
}
