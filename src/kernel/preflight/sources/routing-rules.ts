/** Policy routing as `ip -json -details rule show` prints it. */
import { z } from "zod";
import type { IpFamily } from "../../../model/ip.js";
import { parseJson } from "./json.js";

const ruleSchema = z.object({
  priority: z.number(),
  src: z.string().optional(),
  srclen: z.number().optional(),
  table: z.string().optional(),
  fwmark: z.string().optional(),
  fwmask: z.string().optional(),
  protocol: z.string().optional(),
});

export interface RoutingRule {
  readonly family: IpFamily;
  readonly preference: number;
  /** A number, or a name of /etc/iproute2/rt_tables; empty for a rule that leads nowhere. */
  readonly table: string;
  readonly mark: { readonly value: number; readonly mask: number } | undefined;
  /** Who made it: a number, or a name of /etc/iproute2/rt_protos; empty where the kernel does not say. */
  readonly protocol: string;
}

export function parseRules(text: string, family: IpFamily): readonly RoutingRule[] | undefined {
  return parseJson(text, z.array(ruleSchema))?.map((rule) => ({
    family,
    preference: rule.priority,
    table: rule.table ?? "",
    // Without a mask the whole mark is compared.
    mark:
      rule.fwmark === undefined ? undefined : { value: Number(rule.fwmark), mask: Number(rule.fwmask ?? "0xffffffff") },
    protocol: rule.protocol ?? "",
  }));
}
