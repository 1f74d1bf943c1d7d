/** The static part of our table as text for `nft -f`: constant in the number of sessions. Pure. */
import { familyOf, type IpFamily } from "../../model/ip.js";
import type { StructureState } from "../classifier.js";
import { MARK } from "../mark.js";
import type { DesiredState, ManagedInterface, SignallingMatch } from "../port.js";
import { structureId } from "../structure-id.js";
import { CLASS } from "../tc/tree.js";
import { NEIGHBOUR_DISCOVERY, neighbourRules } from "./neighbours.js";
import { POOL_SET, SESSION_SETS, type SessionSet, STATE_SET } from "./sets.js";

/** Raised whenever maps change their shape: such a table is made anew, sessions and all. */
const LAYOUT = 1;

/** The table's comment: a table of our name without it is somebody else's. */
export const tableComment = `sluice layout ${LAYOUT}`;
export const OWNER_COMMENT = /^\tcomment "sluice layout \d+"$/m;

/** Keys of the state set. */
export const STATE_KEY = { structure: 1, listing: 2, firstInterface: 0x100 } as const;

const STRUCTURE_PREFIX = "structure:";
const LISTING_PREFIX = "listing:";
const INTERFACE_PREFIX = "interface:";

export const listingComment = (digest: string): string => LISTING_PREFIX + digest;

const interfaceComment = (link: ManagedInterface): string =>
  `${INTERFACE_PREFIX}${link.name}:${link.rate}:${link.overhead}:${link.signallingRate}`;

export interface TableState extends StructureState {
  readonly listing: string | undefined;
}

/** From the comments of the state set's elements. */
export function parseState(comments: readonly string[]): TableState {
  const after = (prefix: string): string | undefined =>
    comments.find((comment) => comment.startsWith(prefix))?.slice(prefix.length);
  const interfaces = comments.flatMap((comment): readonly ManagedInterface[] => {
    const match = /^interface:([^:]+):([\d.]+):(\d+):([\d.]+)$/.exec(comment);
    if (match === null) return [];
    const [, name = "", rate, overhead, signallingRate] = match;
    return [
      {
        name,
        rate: Number(rate) as ManagedInterface["rate"],
        overhead: Number(overhead) as ManagedInterface["overhead"],
        signallingRate: Number(signallingRate) as ManagedInterface["rate"],
      },
    ];
  });
  return { structureId: after(STRUCTURE_PREFIX), listing: after(LISTING_PREFIX), interfaces };
}

const hex = (value: number): string => `0x${(value >>> 0).toString(16).padStart(8, "0")}`;
const CODE_POINTS = Array.from({ length: 64 }, (_, code) => code);

function mapText(set: SessionSet, size: number): string {
  const address = `ipv${set.family}_addr`;
  const source = set.anySourcePort ? address : `${address} . inet_service`;
  const statements = set.profile === "in" ? "limit rate 1 mbytes/second burst 1500 bytes counter" : "counter";
  return [
    `\tmap ${set.name} {`,
    `\t\ttype inet_proto . ${source} . ${address} . inet_service : mark`,
    `\t\tsize ${size}`,
    `\t\t${statements}`,
    "\t}",
  ].join("\n");
}

const chain = (name: string, lines: readonly string[]): string =>
  [`\tchain ${name} {`, ...lines.map((line) => `\t\t${line}`), "\t}"].join("\n");

/**
 * nft cannot set some bits of the mark from a map, so a session's packet gets a whole new mark; the mark of every other
 * packet, signalling included, stays as others set it. A limit that is exceeded abandons its rule, so the packet meets the
 * out-of-profile map next.
 */
function sessionChain(family: IpFamily): string {
  const ip = family === 4 ? "ip" : "ip6";
  const lines = SESSION_SETS.filter((set) => set.family === family).map((set) => {
    const source = set.anySourcePort ? `${ip} saddr` : `${ip} saddr . th sport`;
    return `meta mark set meta l4proto . ${source} . ${ip} daddr . th dport map @${set.name} goto action`;
  });
  return chain(`sessions${family}`, lines);
}

function actionChain(): string {
  const entries = CODE_POINTS.flatMap((code) => [
    `${hex(MARK.inProfile | (code << 24))} : goto dscp_${code}`,
    `${hex(MARK.remarked | (code << 24))} : goto dscp_${code}`,
  ]);
  entries.push(`${hex(MARK.dropped)} : drop`);
  return chain("action", [`meta mark and ${hex(MARK.actionMask)} vmap { ${entries.join(", ")} }`]);
}

const dscpChain = (code: number): string =>
  chain(`dscp_${code}`, [`ip dscp set ${code}`, `ip6 dscp set ${code}`, "accept"]);

/** Both directions, both families; the address of a server is part of every match. */
export function signallingRules(matches: readonly SignallingMatch[]): readonly string[] {
  return ([4, 6] as const).flatMap((family) => {
    const ip = family === 4 ? "ip" : "ip6";
    const tuples = matches.flatMap((match) =>
      match.servers
        .filter((server) => familyOf(server) === family)
        .map((server) => `${match.protocol} . ${server} . ${match.port}`),
    );
    if (tuples.length === 0) return [];
    const elements = [...new Set(tuples)].sort().join(", ");
    return [
      `meta l4proto . ${ip} daddr . th dport { ${elements} } goto signalling`,
      `meta l4proto . ${ip} saddr . th sport { ${elements} } goto signalling`,
    ];
  });
}

function hookChains(desired: DesiredState): readonly string[] {
  const signalling = signallingRules(desired.signalling);
  const { session, kindMask, inProfile, poolMask } = MARK;
  const code = desired.signallingDscp;
  return [
    chain("signalling", [
      `ip dscp set ${code}`,
      `ip6 dscp set ${code}`,
      `meta priority set 1:${CLASS.signalling.toString(16)}`,
      "accept",
    ]),
    chain("prerouting", [
      "type filter hook prerouting priority mangle; policy accept;",
      "meta l4proto != { tcp, udp } accept",
      "meta nfproto vmap { ipv4 : goto sessions4, ipv6 : goto sessions6 }",
    ]),
    // ip_forward() sets the priority anew, so the class is chosen after it.
    chain("forward", [
      "type filter hook forward priority mangle; policy accept;",
      `meta mark and ${hex(kindMask)} == ${hex(inProfile)} meta priority set meta mark and ${hex(poolMask)} map @${POOL_SET} accept`,
      `meta mark and ${hex(session)} == ${hex(session)} accept`,
      ...signalling,
    ]),
    chain("neighbours", neighbourRules(desired.interfaces)),
    chain("output", ["type filter hook output priority mangle; policy accept;", NEIGHBOUR_DISCOVERY, ...signalling]),
  ];
}

export const CHAINS: readonly string[] = [
  ...CODE_POINTS.map((code) => `dscp_${code}`),
  "action",
  "sessions4",
  "sessions6",
  "signalling",
  "neighbours",
  "prerouting",
  "forward",
  "output",
];

const MAPS: readonly string[] = [...SESSION_SETS.map((set) => set.name), POOL_SET];

export interface RulesetOptions {
  readonly table: string;
  /** Flows the maps can hold. */
  readonly maxFlows: number;
}

/** Maps and empty chains: adding them again where they are changes nothing. */
function declarations({ table, maxFlows }: RulesetOptions): string {
  return [
    `table inet ${table} {`,
    `\tcomment "${tableComment}"`,
    ...SESSION_SETS.map((set) => mapText(set, maxFlows)),
    `\tmap ${POOL_SET} {\n\t\ttype mark : classid\n\t\tsize 65536\n\t}`,
    `\tset ${STATE_SET} {\n\t\ttype mark\n\t\tsize 65536\n\t}`,
    "}",
  ].join("\n");
}

function stateElements(table: string, desired: DesiredState): readonly string[] {
  const entries = [
    `${hex(STATE_KEY.structure)} comment "${STRUCTURE_PREFIX}${structureId(desired)}"`,
    ...desired.interfaces.map(
      (link, index) => `${hex(STATE_KEY.firstInterface + index)} comment "${interfaceComment(link)}"`,
    ),
  ];
  return [`flush set inet ${table} ${STATE_SET}`, `add element inet ${table} ${STATE_SET} { ${entries.join(", ")} }`];
}

/** What a listing names that is not ours by name: somebody put it into our table. */
function foreignObjects(listing: string): { chains: readonly string[]; sets: readonly (readonly [string, string])[] } {
  const chains = [...listing.matchAll(/^\tchain (\S+) \{/gm)].map((match) => match[1] ?? "");
  const sets = [...listing.matchAll(/^\t(map|set) (\S+) \{/gm)].map(
    (match) => [match[1] ?? "", match[2] ?? ""] as const,
  );
  return {
    chains: chains.filter((name) => !CHAINS.includes(name)),
    sets: sets.filter(([, name]) => !MAPS.includes(name) && name !== STATE_SET),
  };
}

/**
 * One transaction that makes the table what it should be and leaves the maps' elements alone.
 * @param listing the table as `nft list` prints it now, empty if there is none.
 */
export function renderUpdate(options: RulesetOptions, desired: DesiredState, listing: string): string {
  const { table } = options;
  const foreign = foreignObjects(listing);
  return [
    declarations(options),
    ...CHAINS.map((name) => `add chain inet ${table} ${name}${HOOKS.get(name) ?? ""}`),
    ...[...CHAINS, ...foreign.chains].map((name) => `flush chain inet ${table} ${name}`),
    ...foreign.chains.map((name) => `delete chain inet ${table} ${name}`),
    ...foreign.sets.map(([kind, name]) => `delete ${kind} inet ${table} ${name}`),
    rules(table, desired),
    ...stateElements(table, desired),
    "",
  ].join("\n");
}

const HOOKS = new Map(
  ["prerouting", "forward", "output"].map((hook) => [
    hook,
    ` { type filter hook ${hook} priority mangle; policy accept; }`,
  ]),
);

function rules(table: string, desired: DesiredState): string {
  return [
    `table inet ${table} {`,
    ...CODE_POINTS.map(dscpChain),
    actionChain(),
    sessionChain(4),
    sessionChain(6),
    ...hookChains(desired),
    "}",
  ].join("\n");
}

/** The same from nothing, in one transaction: elements are lost and have to be put back. */
export function renderReplacement(options: RulesetOptions, desired: DesiredState): string {
  return `add table inet ${options.table}\ndelete table inet ${options.table}\n${renderUpdate(options, desired, "")}`;
}
