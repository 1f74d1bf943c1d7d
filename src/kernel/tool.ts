/** Runs nft and tc: typed errors, fixed locale, bounded output and time. */
import { execa } from "execa";
import { KernelError, type KernelErrorDetail } from "../model/errors.js";
import { rememberTool } from "./own-tools.js";

export type Tool =
  | "nft"
  | "tc"
  | "ip"
  | "ipset"
  | "iptables"
  | "iptables-restore"
  | "iptables-save"
  | "ip6tables-restore"
  | "ip6tables-save";

const PACKAGES: Readonly<Record<Tool, string>> = {
  nft: "nftables",
  tc: "iproute2",
  ip: "iproute2",
  ipset: "ipset",
  iptables: "iptables",
  "iptables-restore": "iptables",
  "iptables-save": "iptables",
  "ip6tables-restore": "iptables",
  "ip6tables-save": "iptables",
};
const TIMEOUT_MS = 20_000;
const MAX_OUTPUT = 16 * 1024 * 1024;
const MAX_CAUSE = 2000;

/** strerror texts that the tools print in the C locale. */
const ERRNO_TEXTS: readonly (readonly [string, string])[] = [
  ["Operation not permitted", "EPERM"],
  ["Permission denied", "EACCES"],
  ["No such file or directory", "ENOENT"],
  ["File exists", "EEXIST"],
  ["Device or resource busy", "EBUSY"],
  ["Operation not supported", "EOPNOTSUPP"],
  ["Invalid argument", "EINVAL"],
  ["No such device", "ENODEV"],
  ["Cannot find device", "ENODEV"],
  ["Too many open files in system", "ENFILE"],
  ["Value too large for defined data type", "EOVERFLOW"],
  ["Argument list too long", "E2BIG"],
];

/** Symbolic errno of what a tool printed, where it names one. */
export const errnoOfText = (text: string): string | undefined =>
  ERRNO_TEXTS.find(([words]) => text.includes(words))?.[1];

/** Tools speak English, and are found where Debian has them. */
export const toolEnvironment = (): Readonly<Record<string, string>> => ({
  LC_ALL: "C",
  PATH: `${process.env.PATH ?? ""}:/usr/sbin:/sbin:/usr/bin:/bin`,
});

export interface ToolLimits {
  /** Octets of output; more is an error. */
  readonly maxOutput?: number;
}

export const PERMISSION_REMEDY =
  "run the router as root or with the capability CAP_NET_ADMIN (systemd: AmbientCapabilities=CAP_NET_ADMIN)";

export function permissionError(detail: KernelErrorDetail): KernelError {
  return new KernelError("KERNEL_PERMISSION", `not allowed: ${detail.operation}`, detail, {
    remedy: PERMISSION_REMEDY,
  });
}

/**
 * Its standard output. @throws KernelError KERNEL_TOOL_MISSING, KERNEL_PERMISSION or KERNEL_TOOL_FAILED.
 */
export async function runTool(
  tool: Tool,
  args: readonly string[],
  input = "",
  { maxOutput = MAX_OUTPUT }: ToolLimits = {},
): Promise<string> {
  const operation = [tool, ...args].join(" ");
  const running = execa(tool, args, {
    input,
    env: toolEnvironment(),
    reject: false,
    timeout: TIMEOUT_MS,
    maxBuffer: maxOutput,
    stripFinalNewline: false,
  });
  rememberTool(running.pid);
  const result = await running;
  if (!result.failed) return result.stdout;
  if (result.code === "ENOENT") {
    throw new KernelError(
      "KERNEL_TOOL_MISSING",
      `${tool} is not installed`,
      { operation, errno: "ENOENT" },
      {
        remedy: `apt-get install ${PACKAGES[tool]}`,
      },
    );
  }
  const stderr: string =
    result.stderr.split("\n").find((line) => line.trim() !== "") ?? result.shortMessage ?? "failed";
  const errno = errnoOfText(result.stderr);
  const detail = { operation, stderr, ...(errno === undefined ? {} : { errno }) };
  if (errno === "EPERM" || errno === "EACCES" || result.stderr.includes("you must be root")) {
    throw permissionError(detail);
  }
  // A batch names the line that failed behind the reason.
  const cause = result.stderr.slice(-MAX_CAUSE);
  throw new KernelError("KERNEL_TOOL_FAILED", `${operation}: ${stderr}`, detail, { cause });
}
