/**
 * How forwarded packets of aggregates get into their class: by a flow, else by the code point alone, as RFC 3175 §1.4.1 has
 * interior routers tell them. None of these rules is there while no pool carries any. Pure.
 *
 *     aggregates ── by interface ── carry_IF ── maps of flows ─┐
 *             └───────────────────────────────────────────────┴─ code_points ── by code point ── map of interfaces
 */
import { classSlot } from "../dsmark/rules.js";
import { type CarrySet, carriedKey, inPacketOrder } from "./carry-sets.js";
import type { Marking } from "./marking.js";
import { chain } from "./rule-text.js";

/** Where DSMARK is told the class. */
const SLOT = "carried_slot";
const linkChain = (link: string): string => `carry_${link}`;
const codeChain = (code: number): string => `code_point_${code}`;

type FlowSet = Extract<CarrySet, { by: "flow" }>;
type CodePointSet = Extract<CarrySet, { by: "codePoint" }>;

interface Sorted {
  readonly codes: readonly CodePointSet[];
  readonly byLink: ReadonlyMap<string, readonly FlowSet[]>;
}

function sorted(sets: readonly CarrySet[]): Sorted {
  const byLink = new Map<string, FlowSet[]>();
  const codes: CodePointSet[] = [];
  for (const set of inPacketOrder(sets)) {
    if (set.by === "codePoint") codes.push(set);
    else byLink.set(set.interface, [...(byLink.get(set.interface) ?? []), set]);
  }
  return { codes, byLink };
}

/** None without maps. */
export function aggregateChainNames(sets: readonly CarrySet[], marking: Marking): readonly string[] {
  if (sets.length === 0) return [];
  const { codes, byLink } = sorted(sets);
  return [
    ...(marking === "dsmark" ? [SLOT] : []),
    ...codes.map(({ dscp }) => codeChain(dscp)),
    ...(codes.length > 0 ? ["code_points"] : []),
    ...[...byLink.keys()].map(linkChain),
    "aggregates",
  ];
}

/** A packet that is found has its class for good. */
export function aggregateChains(sets: readonly CarrySet[], marking: Marking): readonly string[] {
  if (sets.length === 0) return [];
  const { codes, byLink } = sorted(sets);
  const end = marking === "dsmark" ? `goto ${SLOT}` : "accept";
  const found = (set: CarrySet): string => `meta priority set ${carriedKey(set)} map @${set.name} ${end}`;
  const next = codes.length > 0 ? ["goto code_points"] : [];
  const codeEntries = codes.map(({ dscp }) => `${dscp} : goto ${codeChain(dscp)}`).join(", ");
  const linkEntries = [...byLink.keys()].map((link) => `"${link}" : goto ${linkChain(link)}`).join(", ");
  return [
    ...(marking === "dsmark" ? [chain(SLOT, classSlot())] : []),
    ...codes.map((set) => chain(codeChain(set.dscp), [found(set)])),
    ...(codes.length > 0
      ? [chain("code_points", [`ip dscp vmap { ${codeEntries} }`, `ip6 dscp vmap { ${codeEntries} }`])]
      : []),
    ...[...byLink].map(([link, flows]) => chain(linkChain(link), [...flows.map(found), ...next])),
    chain("aggregates", [...(byLink.size > 0 ? [`oifname vmap { ${linkEntries} }`] : []), ...next]),
  ];
}
