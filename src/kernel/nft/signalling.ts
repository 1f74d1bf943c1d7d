/** Which packets are signalling of the servers that the configuration names, and what becomes of them. Pure. */
import { familyOf } from "../../model/ip.js";
import { slotOfClass } from "../dsmark/rules.js";
import type { SignallingMatch } from "../port.js";
import { CLASS } from "../tc/tree.js";
import type { Marking } from "./marking.js";
import { chain } from "./rule-text.js";

export const signallingChain = (code: number, marking: Marking): string =>
  chain(
    "signalling",
    marking === "dsmark"
      ? slotOfClass(CLASS.signalling, code)
      : [
          `meta priority set 1:${CLASS.signalling.toString(16)}`,
          `ip dscp set ${code} accept`,
          `ip6 dscp set ${code} accept`,
        ],
  );

/**
 * Both directions, both families; the address of a server is part of every match, and behind a port of a server, so that
 * other packets are done with two small lookups.
 */
export function signallingRules(
  matches: readonly SignallingMatch[],
  verb: "goto" | "jump" = "goto",
): readonly string[] {
  const ports = [...new Set(matches.filter(({ servers }) => servers.length > 0).map(({ port }) => port))];
  if (ports.length === 0) return [];
  const list = ports.sort((left, right) => left - right).join(", ");
  return [`th dport { ${list} } ${verb} to_server`, `th sport { ${list} } ${verb} from_server`];
}

export function serverRules(matches: readonly SignallingMatch[], side: "d" | "s"): readonly string[] {
  return ([4, 6] as const).flatMap((family) => {
    const ip = family === 4 ? "ip" : "ip6";
    const tuples = matches.flatMap((match) =>
      match.servers
        .filter((server) => familyOf(server) === family)
        .map((server) => `${match.protocol} . ${server} . ${match.port}`),
    );
    if (tuples.length === 0) return [];
    const elements = [...new Set(tuples)].sort().join(", ");
    return [`meta l4proto . ${ip} ${side}addr . th ${side}port { ${elements} } goto signalling`];
  });
}
