/** The listings of the machine that more than one check reads, each asked for once. */
import { look, type Machine, once, type Seen } from "../machine.js";
import { type IptablesRules, readIptables } from "./iptables.js";
import { type Link, parseLinks } from "./links.js";
import { parseRuleset, type Ruleset } from "./nft.js";
import { parseQdiscs, parseQdiscText, type Qdisc } from "./qdiscs.js";
import { parseRules, type RoutingRule } from "./routing-rules.js";

export interface Sources {
  /** Tables, chains, rules and flowtables, without elements: it costs the same however many sessions there are. */
  readonly ruleset: () => Promise<Seen<Ruleset>>;
  readonly iptables: () => Promise<readonly IptablesRules[]>;
  readonly links: () => Promise<Seen<readonly Link[]>>;
  readonly qdiscs: () => Promise<Seen<readonly Qdisc[]>>;
  /** Of both families. */
  readonly routingRules: () => Promise<Seen<readonly RoutingRule[]>>;
}

export function sourcesOf(machine: Machine): Sources {
  return {
    ruleset: once(() => look(machine, ["nft", "--json", "--terse", "list", "ruleset"], parseRuleset)),
    iptables: once(() => readIptables(machine)),
    links: once(() => look(machine, ["ip", "-json", "-details", "link", "show"], parseLinks)),
    qdiscs: once(async () => {
      const found = await look(machine, ["tc", "-json", "qdisc", "show"], parseQdiscs);
      // With a dsmark on any interface, it prints no valid JSON for all of them.
      return found.seen || found.isAbsent ? found : look(machine, ["tc", "qdisc", "show"], parseQdiscText);
    }),
    routingRules: once(async () => {
      const [v4, v6] = await Promise.all([
        look(machine, ["ip", "-4", "-json", "-details", "rule", "show"], (text) => parseRules(text, 4)),
        look(machine, ["ip", "-6", "-json", "-details", "rule", "show"], (text) => parseRules(text, 6)),
      ]);
      if (!v4.seen) return v4;
      // A kernel without IPv6 has no rules of it.
      return { seen: true, value: [...v4.value, ...(v6.seen ? v6.value : [])] };
    }),
  };
}
