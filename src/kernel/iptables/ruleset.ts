/**
 * Our chains in the mangle table of one family, as text for `iptables-restore --noflush`: constant in the number of flows,
 * linear in that of classes. Packets fall through to the rules of others, whatever we did with them. Pure.
 *
 *     FORWARD ─ table ─┬─ session ─ class ─ c0 ─ c01 ─┬─ (in profile: counted, HTB class, DSCP)
 *                      └─ signalling ─ control        └─ drop or r<DSCP> (out of profile)
 *     OUTPUT ── output ─ neighbour, signalling
 */
import type { IpFamily } from "../../model/ip.js";
import { toBytesPerSecond } from "../../model/units.js";
import { RSVP_PROTOCOLS, rsvpAllowance } from "../nft/rsvp-messages.js";
import type { DesiredState, ManagedInterface, OutOfProfile } from "../port.js";
import { CLASS } from "../tc/tree.js";
import type { FlowClass, FlowClasses } from "./flow-class.js";
import { limiterMatch, limiterText } from "./limiter.js";
import type { Names } from "./names.js";
import { classMark, hex, PACKET_MARK } from "./packet-mark.js";

/** Raised whenever sets change their shape. */
const LAYOUT = 1;

/** Tells our chains from others of the same name. */
export const LAYOUT_COMMENT = `sluice layout ${LAYOUT}`;

export const LAYOUT_PATTERN = /^sluice layout \d+$/;

const FLOW_MATCH = "src,dst,dst";
const SIGNALLING_CLASS = `1:${CLASS.signalling.toString(16)}`;
const CLEAR_MARK = `-j MARK --set-xmark 0x0/${hex(PACKET_MARK.ours)}`;
/** Layer 2 octets of a neighbour solicitation with its link-layer address. */
const SOLICITATION = 86;
/** Layer 3 octets of a signed Path or Resv of an aggregate, rounded up. */
const RSVP_MESSAGE = 256;
const FEWEST_PACKETS = 10;
/** What xt_limit can count. */
const MOST_PACKETS = 10_000;
/** RFC 4861 §4.1 to §4.4. */
const NEIGHBOUR_DISCOVERY = [133, 134, 135, 136] as const;

export type RulesetState = Pick<DesiredState, "interfaces" | "signallingDscp" | "rsvp">;

interface Chain {
  readonly name: string;
  readonly rules: readonly string[];
}

const digits = (number: number): string => number.toString(16).padStart(2, "0");

/** A chain for each code point or for dropping, of those that the classes need. */
const outName = (names: Names, rule: OutOfProfile): string =>
  rule.action === "drop" ? names.drop : names.remark(rule.dscp);

function outChain(names: Names, family: IpFamily, rule: OutOfProfile): Chain {
  // A rule without a target: the match counts.
  const count = `-m set --match-set ${names.flowSet("out", family)} ${FLOW_MATCH}`;
  const rules = rule.action === "drop" ? [count, "-j DROP"] : [count, `-j DSCP --set-dscp ${rule.dscp}`, CLEAR_MARK];
  return { name: outName(names, rule), rules };
}

function classChain(names: Names, family: IpFamily, maxFlows: number, number: number, entry: FlowClass): Chain {
  const limiter = `${names.table}-${entry.protocol}-${limiterText(entry.limiter)}`;
  return {
    name: names.class(digits(number)),
    rules: [
      `${limiterMatch(entry.limiter, limiter, maxFlows)} -g ${outName(names, entry.outOfProfile)}`,
      // ip_forward() sets the priority anew before this hook, so the HTB class is chosen here; the set counts, too.
      `-j SET --map-set ${names.flowSet("in", family)} ${FLOW_MATCH} --map-prio`,
      `-j DSCP --set-dscp ${entry.dscp}`,
      CLEAR_MARK,
    ],
  };
}

/** By the first digit, then by the second: at most 32 rules instead of 255. */
function dispatchChains(names: Names, classes: FlowClasses): readonly Chain[] {
  const byDigit = new Map<string, number[]>();
  for (const number of [...classes.keys()].sort((left, right) => left - right)) {
    const first = digits(number).charAt(0);
    const group = byDigit.get(first) ?? [];
    group.push(number);
    byDigit.set(first, group);
  }
  const firsts = [...byDigit.keys()];
  const firstMask = hex(classMark(0xf0));
  return [
    {
      name: names.classes,
      rules: firsts.map((first) => {
        const mark = hex(classMark(Number.parseInt(first, 16) * 16));
        return `-m mark --mark ${mark}/${firstMask} -g ${names.class(first)}`;
      }),
    },
    ...firsts.map((first) => ({
      name: names.class(first),
      rules: (byDigit.get(first) ?? []).map(
        (number) =>
          `-m mark --mark ${hex(classMark(number))}/${hex(PACKET_MARK.class)} -g ${names.class(digits(number))}`,
      ),
    })),
  ];
}

/** Both sets change the mark by their elements; see packet-mark.ts. */
function sessionChain(names: Names, family: IpFamily): Chain {
  return {
    name: names.session,
    rules: [
      CLEAR_MARK,
      `-j SET --map-set ${names.ports} src --map-mark`,
      `-j SET --map-set ${names.flowSet("key", family)} ${FLOW_MATCH} --map-mark`,
      `-m mark --mark 0x0/${hex(PACKET_MARK.tag)} -g ${names.classes}`,
      CLEAR_MARK,
      `-g ${names.signalling}`,
    ],
  };
}

/** No more than a quarter of what signalling is guaranteed: as nft/neighbours.ts, and for its reason. */
function solicitations(link: ManagedInterface): number {
  const quarter = Math.floor(toBytesPerSecond(link.signallingRate) / 4 / SOLICITATION);
  return Math.min(MOST_PACKETS, Math.max(FEWEST_PACKETS, quarter));
}

function neighbourRule(link: ManagedInterface): string {
  const rate = solicitations(link);
  return (
    `-o ${link.name} -m limit --limit ${rate}/second --limit-burst ${rate} ` +
    `-j CLASSIFY --set-class ${SIGNALLING_CLASS}`
  );
}

/**
 * As nft/rsvp-messages.ts: no more than half of what signalling is guaranteed, here counted in packets of the size that
 * messages of aggregates have.
 */
function rsvpRules({ interfaces, rsvp = false }: RulesetState): readonly string[] {
  if (!rsvp) return [];
  return interfaces.flatMap((link) => {
    const rate = Math.min(MOST_PACKETS, Math.max(FEWEST_PACKETS, Math.floor(rsvpAllowance(link) / RSVP_MESSAGE)));
    return RSVP_PROTOCOLS.map(
      (protocol) =>
        `-o ${link.name} -p ${protocol} -m limit --limit ${rate}/second --limit-burst ${rate} ` +
        `-j CLASSIFY --set-class ${SIGNALLING_CLASS}`,
    );
  });
}

function outputChains(names: Names, family: IpFamily, state: RulesetState): readonly Chain[] {
  const servers = names.signallingSet(family);
  const discovery = family === 6 ? NEIGHBOUR_DISCOVERY : [];
  const neighbour = { name: names.neighbour, rules: state.interfaces.map(neighbourRule) };
  return [
    {
      name: names.output,
      rules: [
        ...discovery.map((type) => `-p ipv6-icmp -m icmp6 --icmpv6-type ${type} -g ${names.neighbour}`),
        `-g ${names.signalling}`,
      ],
    },
    ...(family === 6 ? [neighbour] : []),
    {
      name: names.signalling,
      rules: [
        `-m set --match-set ${servers} dst,dst -g ${names.control}`,
        `-m set --match-set ${servers} src,src -g ${names.control}`,
        ...rsvpRules(state),
      ],
    },
    {
      name: names.control,
      rules: [`-j DSCP --set-dscp ${state.signallingDscp}`, `-j CLASSIFY --set-class ${SIGNALLING_CLASS}`],
    },
  ];
}

function staticChains(names: Names, family: IpFamily, state: RulesetState): readonly Chain[] {
  return [
    {
      name: names.table,
      rules: [
        `-m comment --comment "${LAYOUT_COMMENT}"`,
        `-m set --match-set ${names.flowSet("key", family)} ${FLOW_MATCH} -g ${names.session}`,
        `-g ${names.signalling}`,
      ],
    },
    sessionChain(names, family),
    ...outputChains(names, family, state),
  ];
}

function classChains(names: Names, family: IpFamily, { classes, maxFlows }: RulesetInput): readonly Chain[] {
  const outs = new Map([...classes.values()].map(({ outOfProfile: rule }) => [outName(names, rule), rule]));
  return [
    ...dispatchChains(names, classes),
    ...[...classes].map(([number, entry]) => classChain(names, family, maxFlows, number, entry)),
    ...[...outs.values()].map((rule) => outChain(names, family, rule)),
  ];
}

/** What of ours is in the mangle table of a family now. */
export interface OwnRules {
  /** As `iptables-save` prints them, without counters. */
  readonly chains: readonly string[];
  readonly rules: readonly string[];
  /** Rules of the built-in chains that jump to ours and carry our comment. */
  readonly jumps: readonly string[];
}

const jumpComment = (names: Names): string => `sluice:${names.table}`;

/** @param listing `iptables-save -t mangle`. */
export function ownRules(names: Names, listing: string): OwnRules {
  const lines = listing.split("\n");
  const chains = lines
    .map((line) => /^:(\S+) /.exec(line)?.[1])
    .filter((name) => name !== undefined)
    .filter(names.isChain);
  const rules = lines.filter((line) => names.isChain(/^-A (\S+)/.exec(line)?.[1] ?? ""));
  const jump = new RegExp(`^-A (FORWARD|OUTPUT) .*--comment "?${jumpComment(names)}"? -j `);
  return { chains, rules, jumps: lines.filter((line) => jump.test(line)) };
}

/** Whether the chains of our name say that we made them; true if there is none. */
export const rulesAreOurs = (own: OwnRules): boolean =>
  own.chains.length === 0 || own.rules.some((rule) => rule.includes(`--comment "${LAYOUT_COMMENT.slice(0, 13)}`));

export interface RulesetInput {
  /** Absent: only the classes change. */
  readonly state?: RulesetState;
  readonly classes: FlowClasses;
  readonly maxFlows: number;
}

const deletion = (jump: string): string => jump.replace(/^-A/, "-D");

/** One transaction that makes our chains what they should be, whatever of ours is there. */
export function renderRules(names: Names, family: IpFamily, input: RulesetInput, own: OwnRules): string {
  const fixed = input.state === undefined ? [] : staticChains(names, family, input.state);
  const chains = [...fixed, ...classChains(names, family, input)];
  const wanted = new Set(chains.map((chain) => chain.name));
  const mayGo = input.state === undefined ? names.isClassChain : names.isChain;
  const stale = own.chains.filter((name) => mayGo(name) && !wanted.has(name));
  return [
    "*mangle",
    // Declares a chain, and empties one that is there.
    ...[...wanted, ...stale].map((name) => `:${name} - [0:0]`),
    ...chains.flatMap(({ name, rules }) => rules.map((rule) => `-A ${name} ${rule}`)),
    ...(input.state === undefined ? [] : hookRules(names, own)),
    ...stale.map((name) => `-X ${name}`),
    "COMMIT",
    "",
  ].join("\n");
}

/** One jump from each hook, before the rules of others that might end the packet's way; none where they are already. */
function hookRules(names: Names, own: OwnRules): readonly string[] {
  const hooks = [
    ["FORWARD", names.table],
    ["OUTPUT", names.output],
  ] as const;
  if (own.jumps.length === hooks.length && hooks.every(([hook, target]) => isHooked(own, hook, target))) return [];
  const jumps = hooks.map(([hook, target]) => `-I ${hook} 1 -m comment --comment "${jumpComment(names)}" -j ${target}`);
  return [...own.jumps.map(deletion), ...jumps];
}

const isHooked = (own: OwnRules, hook: string, target: string): boolean =>
  own.jumps.some((jump) => jump.startsWith(`-A ${hook} `) && jump.endsWith(` -j ${target}`));

/** Empty if there is nothing of ours. */
export function renderRulesRemoval(own: OwnRules): string {
  if (own.chains.length === 0 && own.jumps.length === 0) return "";
  return [
    "*mangle",
    ...own.chains.map((name) => `:${name} - [0:0]`),
    ...own.jumps.map(deletion),
    ...own.chains.map((name) => `-X ${name}`),
    "COMMIT",
    "",
  ].join("\n");
}
