/** What `ip` tells of devices, rules and routes, as far as tunnels need it. `ip -j` is sound JSON, unlike `tc -j`. */
import { z } from "zod";
import { KernelError } from "../../model/errors.js";
import type { IpFamily } from "../../model/ip.js";
import { runTool } from "../tool.js";
import type { VxlanDevice } from "./tunnel.js";

const linkSchema = z.object({
  ifname: z.string(),
  flags: z.array(z.string()),
  mtu: z.number(),
  ifalias: z.string().default(""),
  linkinfo: z
    .object({
      info_kind: z.string().default(""),
      info_data: z
        .object({
          id: z.number().default(0),
          local: z.string().default(""),
          local6: z.string().default(""),
          remote: z.string().default(""),
          remote6: z.string().default(""),
          port: z.number().default(0),
          port_range: z.object({ low: z.number() }).default({ low: 0 }),
        })
        .optional(),
    })
    .optional(),
});

/** Rules without a mark or a numbered table are not ours. */
const ruleSchema = z.object({ table: z.string().default(""), protocol: z.string().default("") });

const routeSchema = z.object({
  table: z.string().default(""),
  type: z.string().default(""),
  dst: z.string().default(""),
  dev: z.string().default(""),
});

async function list<Item>(schema: z.ZodType<Item>, args: readonly string[]): Promise<readonly Item[]> {
  const text = await runTool("ip", args);
  try {
    return z.array(schema).parse(JSON.parse(text.trim() === "" ? "[]" : text));
  } catch (cause) {
    const operation = ["ip", ...args].join(" ");
    const remedy = "use iproute2 of Debian 12 (6.1) or later";
    throw new KernelError(
      "KERNEL_TOOL_OUTPUT",
      `${operation}: its output is not understood`,
      { operation },
      {
        cause,
        remedy,
      },
    );
  }
}

export async function vxlanDevices(): Promise<readonly VxlanDevice[]> {
  // Where the kernel does not know VXLAN yet, `ip` lists every device, without what the filter left out.
  const found = await list(z.unknown(), ["-d", "-j", "link", "show", "type", "vxlan"]);
  const links = found
    .flatMap((link) => linkSchema.safeParse(link).data ?? [])
    .filter(({ linkinfo }) => linkinfo?.info_kind === "vxlan");
  return links.map(({ ifname, ifalias, mtu, flags, linkinfo }) => {
    const data = linkinfo?.info_data;
    return {
      name: ifname,
      alias: ifalias,
      mtu,
      up: flags.includes("UP"),
      id: data?.id ?? 0,
      local: data?.local || data?.local6 || "",
      remote: data?.remote || data?.remote6 || "",
      destinationPort: data?.port ?? 0,
      sourcePort: data?.port_range.low ?? 0,
    };
  });
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
