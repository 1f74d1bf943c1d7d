/** Runs nft and tc: typed errors, fixed locale, bounded output and time. */
import { execa } from "execa";
import { KernelError, type KernelErrorDetail } from "../model/errors.js";

export type Tool = "nft" | "tc";

const PACKAGES: Readonly<Record<Tool, string>> = { nft: "nftables", tc: "iproute2" };
const TIMEOUT_MS = 20_000;
const MAX_OUTPUT = 16 * 1024 * 1024;

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
];

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
export async function runTool(tool: Tool, args: readonly string[], input = ""): Promise<string> {
  const operation = [tool, ...args].join(" ");
  const path = `${process.env.PATH ?? ""}:/usr/sbin:/sbin:/usr/bin:/bin`;
  const result = await execa(tool, args, {
    input,
    env: { LC_ALL: "C", PATH: path },
    reject: false,
    timeout: TIMEOUT_MS,
    maxBuffer: MAX_OUTPUT,
    stripFinalNewline: false,
  });
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
  const errno = ERRNO_TEXTS.find(([text]) => result.stderr.includes(text))?.[1];
  const detail = { operation, stderr, ...(errno === undefined ? {} : { errno }) };
  if (errno === "EPERM" || errno === "EACCES" || result.stderr.includes("you must be root")) {
    throw permissionError(detail);
  }
  throw new KernelError("KERNEL_TOOL_FAILED", `${operation}: ${stderr}`, detail);
}
