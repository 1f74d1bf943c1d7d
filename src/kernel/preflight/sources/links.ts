/** Interfaces as `ip -json -details link show` prints them. */
import { z } from "zod";
import { parseJson } from "./json.js";

const linkSchema = z.object({
  ifname: z.string(),
  mtu: z.number(),
  operstate: z.string().default("UNKNOWN"),
  flags: z.array(z.string()).default([]),
  master: z.string().optional(),
  ifalias: z.string().optional(),
  /** Present when an XDP program is attached; its shape differs between versions. */
  xdp: z.unknown().optional(),
  linkinfo: z
    .object({
      info_kind: z.string().optional(),
      info_data: z.object({ id: z.number().optional(), port: z.number().optional() }).optional(),
    })
    .optional(),
});

export interface Link {
  readonly name: string;
  readonly mtu: number;
  /** `DOWN` as the kernel says; devices that cannot tell say `UNKNOWN`. */
  readonly state: string;
  readonly isLoopback: boolean;
  /** `veth`, `vxlan`, `bridge` …; undefined for hardware. */
  readonly kind: string | undefined;
  readonly alias: string;
  readonly hasXdp: boolean;
  readonly vxlan: { readonly id: number | undefined; readonly port: number | undefined } | undefined;
}

export function parseLinks(text: string): readonly Link[] | undefined {
  return parseJson(text, z.array(linkSchema))?.map((link) => {
    const kind = link.linkinfo?.info_kind;
    const { id, port } = link.linkinfo?.info_data ?? {};
    return {
      name: link.ifname,
      mtu: link.mtu,
      state: link.operstate,
      isLoopback: link.flags.includes("LOOPBACK"),
      kind,
      alias: link.ifalias ?? "",
      hasXdp: link.xdp !== undefined && link.xdp !== null,
      vxlan: kind === "vxlan" ? { id, port } : undefined,
    };
  });
}
