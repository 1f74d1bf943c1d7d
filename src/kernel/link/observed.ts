/** What `ip` tells of devices, rules and routes, as far as tunnels need it. `ip -j` is sound JSON, unlike `tc -j`. */
import { z } from "zod";
import { KernelError } from "../../model/errors.js";
import type { IpFamily } from "../../model/ip.js";
import { runTool } from "../tool.js";
import { DEVICE_TYPES, keyNumber, type TunnelDevice } from "./device.js";
import type { FouPort } from "./fou-port.js";

const linkSchema = z.object({
  ifname: z.string(),
  flags: z.array(z.string()),
  mtu: z.number(),
  ifalias: z.string().default(""),
  linkinfo: z.object({
    info_kind: z.enum(DEVICE_TYPES),
    info_data: z.object({
      id: z.number().default(0),
      ikey: z.string().default(""),
      okey: z.string().default(""),
      proto: z.string().default("any"),
      local: z.string().default(""),
      local6: z.string().default(""),
      remote: z.string().default(""),
      remote6: z.string().default(""),
      port: z.number().default(0),
      port_range: z.object({ low: z.number() }).default({ low: 0 }),
      encap: z.object({ type: z.enum(["fou", "gue"]), sport: z.number(), dport: z.number() }).optional(),
    }),
  }),
});

const fouSchema = z.object({
  port: z.number(),
  gue: z.null().optional(),
  family: z.string(),
  local: z.string().default(""),
  peer: z.string().default(""),
  peer_port: z.number().default(0),
});

/** Rules without a mark or a numbered table are not ours. */
const ruleSchema = z.object({ table: z.string().default(""), protocol: z.string().default("") });

const routeSchema = z.object({
  table: z.string().default(""),
  type: z.string().default(""),
  dst: z.string().default(""),
  dev: z.string().default(""),
});

/** @param input - lines of a batch */
async function list<Item>(schema: z.ZodType<Item>, args: readonly string[], input = ""): Promise<readonly Item[]> {
  const text = await runTool("ip", args, input);
  try {
    const lines = text.split("\n").filter((line) => line.trim() !== "");
    return lines.flatMap((line) => z.array(schema).parse(JSON.parse(line)));
  } catch (cause) {
    const operation = ["ip", ...args].join(" ");
    const remedy = "use iproute2 of Debian 12 (6.1) or later";
    const message = `${operation}: its output is not understood`;
    throw new KernelError("KERNEL_TOOL_OUTPUT", message, { operation }, { cause, remedy });
  }
}

/** Devices of the types that our tunnels have, whoever made them; a list for each type comes on a line of its own. */
export async function tunnelDevices(): Promise<readonly TunnelDevice[]> {
  const lines = DEVICE_TYPES.map((type) => `link show type ${type}\n`).join("");
  const found = await list(z.unknown(), ["-d", "-j", "-batch", "-"], lines);
  // Where the kernel does not know a type yet, `ip` lists every device for it, without what the filter left out.
  const devices = found.flatMap((link) => deviceOf(link) ?? []);
  return [...new Map(devices.map((device) => [device.name, device])).values()];
}

/** Undefined for one of another type, or without ends. */
export function deviceOf(link: unknown): TunnelDevice | undefined {
  const { data } = linkSchema.safeParse(link);
  if (data === undefined) return undefined;
  const { ifname, ifalias, mtu, flags, linkinfo } = data;
  const { info_kind: type, info_data: info } = linkinfo;
  const key = info.ikey === info.okey ? keyNumber(info.ikey) : 0;
  return {
    name: ifname,
    alias: ifalias,
    mtu,
    up: flags.includes("UP"),
    type,
    number: info.id || key,
    anyFamily: info.proto === "any",
    local: info.local || info.local6,
    remote: info.remote || info.remote6,
    encapsulation: info.encap?.type ?? "none",
    destinationPort: info.encap?.dport ?? info.port,
    sourcePort: info.encap?.sport ?? info.port_range.low,
  };
}

/** Those that are connected to one other end, as ours are; none where the kernel has no IP in UDP. */
export async function fouPorts(): Promise<readonly FouPort[]> {
  const found = await list(z.unknown(), ["-j", "fou", "show"]).catch((error: unknown) => {
    if (error instanceof KernelError && error.detail.errno === "ENOENT") return [];
    throw error;
  });
  return found.flatMap((entry) => fouPortFrom(entry) ?? []);
}

export function fouPortFrom(entry: unknown): FouPort | undefined {
  const { data } = fouSchema.safeParse(entry);
  if (data === undefined || data.gue === undefined || data.peer_port === 0) return undefined;
  const { port, family, local, peer, peer_port: peerPort } = data;
  return { family: family === "inet6" ? 6 : 4, port, local, peer, peerPort };
}

/** Numbers of the route tables that rules of this protocol number lead to, one for each rule. */
export async function ruleTables(family: IpFamily, protocol: number): Promise<readonly number[]> {
  const rules = await list(ruleSchema, [`-${family}`, "-d", "-j", "rule"]);
  return rules.filter((rule) => rule.protocol === String(protocol)).map(({ table }) => Number(table));
}

export interface FoundRoute {
  readonly table: number;
  readonly destination: string;
  /** Empty for one that leads nowhere. */
  readonly device: string;
  readonly isThrow: boolean;
}

/** Routes with this protocol number, of all tables. */
export async function routesOf(family: IpFamily, protocol: number): Promise<readonly FoundRoute[]> {
  const args = [`-${family}`, "-d", "-j", "route", "show", "table", "all", "proto", String(protocol)];
  return (await list(routeSchema, args)).map(({ table, dst, dev, type }) => ({
    table: Number(table),
    destination: dst,
    device: dev,
    isThrow: type === "throw",
  }));
}
