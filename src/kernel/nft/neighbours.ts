/**
 * The router's own address resolution, in the signalling class: in a flood of best effort the next hop would be lost, and
 * every session with it, however well its media are guaranteed. Pure.
 *
 * IPv6 neighbour discovery passes the output hook of the inet table. ARP passes no hook of it, so it has a table of the same
 * name in the family arp, made in the same transaction. That hook is met by ARP alone: packets of sessions do not pay
 * for it, as they would for a chain at the devices' egress, and it needs no filter at the HTB roots.
 */
import { toBytesPerSecond } from "../../model/units.js";
import type { ManagedInterface } from "../port.js";
import { CLASS } from "../tc/tree.js";

/** Layer 2 octets of a neighbour solicitation with its link-layer address; ARP is shorter. */
const SOLICITATION = 86;
const FEWEST = 10;

/** Packets per second: no more than a quarter of what signalling is guaranteed. */
const allowance = (link: ManagedInterface): number =>
  Math.max(FEWEST, Math.floor(toBytesPerSecond(link.signallingRate) / 4 / SOLICITATION));

/**
 * One rule per managed interface; on others the priority may mean something else. Who scans a subnet or asks all the
 * time makes the router resolve or answer all the time (RFC 6583 §2), and must not push signalling aside by it: what is
 * above the allowance goes on in the default class.
 */
export function neighbourRules(links: readonly ManagedInterface[]): readonly string[] {
  return links.map((link) => {
    const rate = allowance(link);
    return (
      `oifname "${link.name}" limit rate ${rate}/second burst ${rate} packets ` +
      `meta priority set 1:${CLASS.signalling.toString(16)}`
    );
  });
}

/** RFC 4861 §4.1 to §4.4. Never forwarded, so there is nothing of it in the forward chain. */
export const NEIGHBOUR_DISCOVERY =
  "icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } goto neighbours";

/** Makes the ARP table anew: it holds nothing that could be lost. */
export function renderArpTable(table: string, comment: string, links: readonly ManagedInterface[]): string {
  return [
    `add table arp ${table}`,
    `delete table arp ${table}`,
    `table arp ${table} {`,
    `\tcomment "${comment}"`,
    "\tchain output {",
    "\t\ttype filter hook output priority filter; policy accept;",
    ...neighbourRules(links).map((rule) => `\t\t${rule}`),
    "\t}",
    "}",
    "",
  ].join("\n");
}
