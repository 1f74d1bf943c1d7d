/** The static part of our table as text for `nft -f`: constant in the number of sessions. Pure. */
import type { IpFamily } from "../../model/ip.js";
import type { StructureState } from "../classifier.js";
import { slotByClass } from "../dsmark/rules.js";
import type { DesiredState, LinkLayer, ManagedInterface, TunnelId } from "../port.js";
import { accountingText, structureId } from "../structure-id.js";
import { aggregateChainNames, aggregateChains } from "./aggregates.js";
import { type CarrySet, carryMapText, carrySetsOf, parseCarrySet } from "./carry-sets.js";
import type { Marking } from "./marking.js";
import { NEIGHBOUR_DISCOVERY, neighbourRules } from "./neighbours.js";
import { sizeWord, WORD } from "./priority-word.js";
import { rsvpChainNames, rsvpChains, rsvpRules } from "./rsvp-messages.js";
import { chain, classId, hex, inBlocks, lookup } from "./rule-text.js";
import { COUNTED_SETS, POOL_SET, PORT_SETS, SESSION_SETS, type SessionSet, STATE_SET } from "./sets.js";
import { serverRules, signallingChain, signallingRules } from "./signalling.js";
import { SIZE_CLASSES } from "./size-class.js";
import { STEERING_HOOK, steeringChainNames, steeringChains } from "./steering.js";

/** Raised whenever maps change their shape: such a table is made anew, sessions and all. */
const LAYOUT = 2;

/** The table's comment: a table of our name without it is somebody else's. */
export const tableComment = `sluice layout ${LAYOUT}`;
export const OWNER_COMMENT = /^\tcomment "sluice layout \d+"$/m;

/** Keys of the state set. */
export const STATE_KEY = { structure: 1, listing: 2, firstInterface: 0x100, firstCarryMap: 0x10000 } as const;

const STRUCTURE_PREFIX = "structure:";
const LISTING_PREFIX = "listing:";
const INTERFACE_PREFIX = "interface:";
const CARRY_PREFIX = "carry:";

export const listingComment = (digest: string): string => LISTING_PREFIX + digest;

const interfaceComment = (link: ManagedInterface): string =>
  `${INTERFACE_PREFIX}${link.name}:${link.rate}:${link.overhead}:${link.signallingRate}${accountingText(link, ":")}`;

export interface TableState extends StructureState {
  readonly listing: string | undefined;
  /** Names of the maps for aggregates. */
  readonly carryMaps: readonly string[];
}

/** So that a table of the other kind is outdated, whatever it was made for. */
const KIND: Readonly<Record<Marking, string>> = { nftables: "", dsmark: "dsmark:" };

function structureIn(text: string | undefined, marking: Marking): string | undefined {
  const kind = KIND[marking];
  if (text === undefined || text.startsWith(kind)) return text?.slice(kind.length);
  return `other:${text}`;
}

/** From the comments of the state set's elements. */
export function parseState(comments: readonly string[], marking: Marking = "nftables"): TableState {
  const after = (prefix: string): string | undefined =>
    comments.find((comment) => comment.startsWith(prefix))?.slice(prefix.length);
  const interfaces = comments.flatMap((comment): readonly ManagedInterface[] => {
    const match = /^interface:([^:]+):([\d.]+):(\d+):([\d.]+)(?::(\d+):(ethernet|atm|adsl))?$/.exec(comment);
    if (match === null) return [];
    const [, name = "", rate, overhead, signallingRate, mpu, linkLayer] = match;
    return [
      {
        name,
        rate: Number(rate) as ManagedInterface["rate"],
        overhead: Number(overhead) as ManagedInterface["overhead"],
        signallingRate: Number(signallingRate) as ManagedInterface["rate"],
        ...(mpu === undefined ? {} : { mpu: Number(mpu) as ManagedInterface["overhead"] }),
        ...(linkLayer === undefined ? {} : { linkLayer: linkLayer as LinkLayer }),
      },
    ];
  });
  const carryMaps = comments.flatMap((comment) =>
    comment.startsWith(CARRY_PREFIX) ? (parseCarrySet(comment.slice(CARRY_PREFIX.length))?.name ?? []) : [],
  );
  const structure = structureIn(after(STRUCTURE_PREFIX), marking);
  return { structureId: structure, listing: after(LISTING_PREFIX), interfaces, carryMaps };
}

const CODE_POINTS = Array.from({ length: 64 }, (_, code) => code);

/** The first element's kind of limit is every element's. */
const STATEMENTS: Readonly<Record<SessionSet["profile"], string>> = {
  in: "limit rate 1 mbytes/second burst 1500 bytes counter",
  tight: "limit rate 50/second burst 5 packets counter",
  out: "counter",
  over: "counter",
  steer: "",
};

function mapText(set: SessionSet, size: number): string {
  const address = `ipv${set.family}_addr`;
  const source = set.anySourcePort ? address : `${address} . inet_service`;
  return [
    `\tmap ${set.name} {`,
    `\t\ttype inet_proto . ${source} . ${address} . inet_service : classid`,
    `\t\tsize ${size}`,
    ...(STATEMENTS[set.profile] === "" ? [] : [`\t\t${STATEMENTS[set.profile]}`]),
    "\t}",
  ].join("\n");
}

const mapsOf = (family: IpFamily, anySourcePort: boolean): readonly SessionSet[] =>
  COUNTED_SETS.filter((set) => set.family === family && set.anySourcePort === anySourcePort && set.profile !== "over");

/**
 * A limit that is exceeded abandons its rule, so the packet meets the out-of-profile map next. Maps that few flows are in
 * are passed over by the port alone.
 */
function sessionChains(family: IpFamily): readonly string[] {
  const found = (set: SessionSet): string => lookup(set, set.profile === "tight" ? "sized" : "action");
  const exact = mapsOf(family, false).map((set) =>
    set.profile === "tight" ? `${inBlocks(PORT_SETS.tight)} ${found(set)}` : found(set),
  );
  const any = mapsOf(family, true).map(found);
  return [
    chain(`any${family}`, [...any, "goto others"]),
    chain(`sessions${family}`, [
      ...(family === 4 ? ["meta nfproto ipv6 goto sessions6"] : []),
      ...exact,
      `${inBlocks(PORT_SETS.any)} goto any${family}`,
      "goto others",
    ]),
  ];
}

const remarks = CODE_POINTS.map((code) => `${classId(WORD.remarked | (code << 24))} : goto dscp_${code}`);
const excess: readonly string[] = [...remarks, `${classId(WORD.dropped)} : drop`];

const actionMap = (entries: readonly string[]): string =>
  `meta priority and ${hex(WORD.actionMask)} vmap { ${entries.join(", ")} }`;

function actionChain(): string {
  const inProfile = CODE_POINTS.map((code) => `${classId(WORD.inProfile | (code << 24))} : goto dscp_${code}`);
  return chain("action", [actionMap([...inProfile, ...excess])]);
}

/** Major 1 and the word's minor: a class of ours on every managed interface. */
const classRules = (code: number): readonly string[] => [
  `meta priority set meta priority and ${hex(WORD.minorMask)} or 0x00010000`,
  `ip dscp set ${code} accept`,
  `ip6 dscp set ${code} accept`,
];

const dscpChain = (code: number, marking: Marking): string =>
  chain(`dscp_${code}`, marking === "dsmark" ? slotByClass(code) : classRules(code));

/**
 * Of packets that a limit by packets let through: none may be larger than the flow's. T is taken from the word of one that
 * is not. The chains of the sizes come back instead of going on: Linux 6.1 walks every way through the chains whenever one
 * is changed, and ways multiply.
 */
function sizeChains(): readonly string[] {
  const sizes = SIZE_CLASSES.map((_, index) => `${classId(sizeWord(index + 1))} : jump size_${index + 1}`);
  const codes = CODE_POINTS.map((code) => `${classId(code << 24)} : goto dscp_${code}`);
  const tight = hex(WORD.tight);
  return [
    chain("coded", [`meta priority and ${hex(WORD.codeMask)} vmap { ${codes.join(", ")} }`]),
    // Not back to `action`: chains must not form a ring.
    chain("excess", [actionMap(excess)]),
    chain("oversize", [
      ...SESSION_SETS.filter((set) => set.profile === "over").map((set) => lookup(set, "excess")),
      "drop",
    ]),
    ...SIZE_CLASSES.map((size, index) =>
      chain(`size_${index + 1}`, [
        `meta length <= ${size} meta priority set meta priority and ${hex(~WORD.tight)} return`,
      ]),
    ),
    chain("sized", [
      `meta priority and ${hex(WORD.sizeMask)} vmap { ${sizes.join(", ")} }`,
      `meta priority and ${tight} == ${classId(WORD.tight)} goto oversize`,
      "goto coded",
    ]),
  ];
}

function hookChains(desired: DesiredState, marking: Marking): readonly string[] {
  const { signalling: matches, signallingDscp: code } = desired;
  const sets = carrySetsIn(desired);
  const rsvp = rsvpRules(desired);
  const carried = sets.length > 0 ? ["goto aggregates"] : [];
  // What is behind a port of a server, and not to or from one, comes back where something is left to be asked.
  const verb = rsvp.length + carried.length > 0 ? "jump" : "goto";
  const signalling = signallingRules(matches, verb);
  const unclaimed = [...signalling, ...rsvp, ...carried];
  return [
    signallingChain(code, marking),
    ...rsvpChains(desired, marking),
    ...aggregateChains(sets, marking),
    chain("from_server", serverRules(matches, "s")),
    // From one server to another's port: the source is looked at too.
    chain("to_server", [...serverRules(matches, "d"), ...(verb === "goto" ? signalling.slice(1) : [])]),
    chain("others", unclaimed),
    ...sessionChains(6),
    ...sessionChains(4),
    // ip_forward() sets the priority anew, so there is no earlier hook in which the class could be chosen.
    chain("forward", [
      "type filter hook forward priority mangle; policy accept;",
      `${inBlocks(PORT_SETS.all)} goto sessions4`,
      ...unclaimed,
    ]),
    chain("neighbours", neighbourRules(desired.interfaces)),
    chain("output", [
      "type filter hook output priority mangle; policy accept;",
      NEIGHBOUR_DISCOVERY,
      ...signalling,
      ...rsvp,
    ]),
  ];
}

const CHAINS: readonly string[] = [
  ...CODE_POINTS.map((code) => `dscp_${code}`),
  "coded",
  "excess",
  "oversize",
  ...SIZE_CLASSES.map((_, index) => `size_${index + 1}`),
  "sized",
  "action",
  "signalling",
  "from_server",
  "to_server",
  "others",
  "any6",
  "sessions6",
  "any4",
  "sessions4",
  "neighbours",
  "forward",
  "output",
];

const tunnelsOf = (desired: DesiredState): readonly TunnelId[] =>
  [...desired.tunnels.keys()].sort((left, right) => left - right);

const carrySetsIn = ({ pools, interfaces }: DesiredState): readonly CarrySet[] =>
  carrySetsOf(pools.values(), interfaces);

const chainsOf = (desired: DesiredState, marking: Marking): readonly string[] => [
  ...CHAINS,
  ...rsvpChainNames(desired),
  ...aggregateChainNames(carrySetsIn(desired), marking),
  ...steeringChainNames(tunnelsOf(desired)),
];

const MAPS: readonly string[] = [...SESSION_SETS.map((set) => set.name), POOL_SET];
const PLAIN_SETS: readonly string[] = [STATE_SET, ...Object.values(PORT_SETS)];

export interface RulesetOptions {
  readonly table: string;
  /** Flows the maps can hold. */
  readonly maxFlows: number;
  /** nftables by default. */
  readonly marking?: Marking;
}

/** Maps and empty chains: adding them again where they are changes nothing. */
function declarations({ table, maxFlows }: RulesetOptions, carried: readonly CarrySet[]): string {
  return [
    `table inet ${table} {`,
    `\tcomment "${tableComment}"`,
    ...SESSION_SETS.map((set) => mapText(set, maxFlows)),
    `\tmap ${POOL_SET} {\n\t\ttype mark : classid\n\t\tsize 65536\n\t}`,
    `\tset ${STATE_SET} {\n\t\ttype mark\n\t\tsize 65536\n\t}`,
    ...Object.values(PORT_SETS).map((name) => `\tset ${name} {\n\t\ttype inet_service\n\t}`),
    ...carried.map(carryMapText),
    "}",
  ].join("\n");
}

function stateElements({ table, marking = "nftables" }: RulesetOptions, desired: DesiredState): readonly string[] {
  const entries = [
    `${hex(STATE_KEY.structure)} comment "${STRUCTURE_PREFIX}${KIND[marking]}${structureId(desired)}"`,
    ...desired.interfaces.map(
      (link, index) => `${hex(STATE_KEY.firstInterface + index)} comment "${interfaceComment(link)}"`,
    ),
    ...carrySetsIn(desired).map(
      ({ name }, index) => `${hex(STATE_KEY.firstCarryMap + index)} comment "${CARRY_PREFIX}${name}"`,
    ),
  ];
  return [`flush set inet ${table} ${STATE_SET}`, `add element inet ${table} ${STATE_SET} { ${entries.join(", ")} }`];
}

/** What a listing names that is none of these chains and sets: somebody put it into our table, or a tunnel has gone. */
function foreignObjects(
  listing: string,
  own: readonly string[],
  carried: readonly CarrySet[],
): { chains: readonly string[]; sets: readonly (readonly [string, string])[] } {
  const chains = [...listing.matchAll(/^\tchain (\S+) \{/gm)].map((match) => match[1] ?? "");
  const sets = [...listing.matchAll(/^\t(map|set) (\S+) \{/gm)].map(
    (match) => [match[1] ?? "", match[2] ?? ""] as const,
  );
  const known = new Set([...MAPS, ...PLAIN_SETS, ...carried.map(({ name }) => name)]);
  return {
    chains: chains.filter((name) => !own.includes(name)),
    sets: sets.filter(([, name]) => !known.has(name)),
  };
}

/**
 * One transaction that makes the table what it should be and leaves the maps' elements alone.
 * @param listing the table as `nft list` prints it now, empty if there is none.
 */
export function renderUpdate(options: RulesetOptions, desired: DesiredState, listing: string): string {
  const { table, marking = "nftables" } = options;
  const chains = chainsOf(desired, marking);
  const carried = carrySetsIn(desired);
  const foreign = foreignObjects(listing, chains, carried);
  return [
    declarations(options, carried),
    ...chains.map((name) => `add chain inet ${table} ${name}${HOOKS.get(name) ?? ""}`),
    ...[...chains, ...foreign.chains].map((name) => `flush chain inet ${table} ${name}`),
    ...foreign.chains.map((name) => `delete chain inet ${table} ${name}`),
    ...foreign.sets.map(([kind, name]) => `delete ${kind} inet ${table} ${name}`),
    rules(options, desired),
    ...stateElements(options, desired),
    "",
  ].join("\n");
}

const HOOKS = new Map([
  ...["forward", "output"].map(
    (hook) => [hook, ` { type filter hook ${hook} priority mangle; policy accept; }`] as const,
  ),
  ["prerouting", ` { ${STEERING_HOOK} }`],
]);

function rules({ table, marking = "nftables" }: RulesetOptions, desired: DesiredState): string {
  return [
    `table inet ${table} {`,
    ...CODE_POINTS.map((code) => dscpChain(code, marking)),
    ...sizeChains(),
    actionChain(),
    ...hookChains(desired, marking),
    ...steeringChains(tunnelsOf(desired)),
    "}",
  ].join("\n");
}

/** The same from nothing, in one transaction: elements are lost and have to be put back. */
export function renderReplacement(options: RulesetOptions, desired: DesiredState): string {
  return `add table inet ${options.table}\ndelete table inet ${options.table}\n${renderUpdate(options, desired, "")}`;
}
