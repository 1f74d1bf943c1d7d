/** Rules of iptables as `iptables-save` and its sisters print them: nft shows what they do only in part. */
import { look, type Machine } from "../machine.js";
import { type Chain, type Hook, type Rule, type Touch, touchesOfTarget } from "./rules.js";

export interface IptablesRules {
  readonly variant: "nf_tables" | "legacy";
  readonly family: "ip" | "ip6";
  /** Such as `ip mangle`, or `legacy ip mangle`: both may exist at once. */
  readonly tables: readonly string[];
  readonly chains: readonly Chain[];
  readonly rules: readonly Rule[];
}

const BUILT_IN: Readonly<Record<string, Hook>> = {
  PREROUTING: "prerouting",
  INPUT: "input",
  FORWARD: "forward",
  OUTPUT: "output",
  POSTROUTING: "postrouting",
};
/** linux/netfilter_ipv4.h */
const PRIORITIES: Readonly<Record<string, number>> = { raw: -300, mangle: -150, filter: 0, security: 50 };
const NAT = { destination: -100, source: 100 } as const;
const ALL_BITS = 0xffffffff;

interface Listing {
  readonly variant: IptablesRules["variant"];
  readonly family: IptablesRules["family"];
  readonly program: string;
  /** Prints the rules. */
  readonly save: string;
  /** The kernel's list of legacy tables in use; asking the tool instead could load them. */
  readonly inUse?: string;
}

const LISTINGS: readonly Listing[] = [
  { variant: "nf_tables", family: "ip", program: "iptables-nft", save: "iptables-nft-save" },
  { variant: "nf_tables", family: "ip6", program: "ip6tables-nft", save: "ip6tables-nft-save" },
  {
    variant: "legacy",
    family: "ip",
    program: "iptables-legacy",
    save: "iptables-legacy-save",
    inUse: "/proc/net/ip_tables_names",
  },
  {
    variant: "legacy",
    family: "ip6",
    program: "ip6tables-legacy",
    save: "ip6tables-legacy-save",
    inUse: "/proc/net/ip6_tables_names",
  },
];

/** Those that could be read. One that could not, or is not installed, is left out: nft still names what the others do. */
export async function readIptables(machine: Machine): Promise<readonly IptablesRules[]> {
  const found = await Promise.all(
    LISTINGS.map(async ({ variant, family, program, save, inUse }) => {
      if (inUse !== undefined && ((await machine.read(inUse)) ?? "").trim() === "") return [];
      const label = variant === "legacy" ? `legacy ${family}` : family;
      const answer = await look(machine, [save], (text) => parseSave(text, label, program));
      return answer.seen ? [{ variant, family, ...answer.value }] : [];
    }),
  );
  return found.flat();
}

type Parsed = Pick<IptablesRules, "tables" | "chains" | "rules">;

/**
 * Undefined for text that is no listing of this kind.
 * @param family - first part of the tables' keys
 * @param program - for the commands that take a rule away
 */
export function parseSave(text: string, family: string, program: string): Parsed | undefined {
  const tables: string[] = [];
  const chains: Chain[] = [];
  const rules: Rule[] = [];
  let table: string | undefined;
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    if (line.startsWith("*")) {
      table = line.slice(1);
      tables.push(`${family} ${table}`);
    } else if (line === "COMMIT") table = undefined;
    else if (table === undefined) return undefined;
    else if (line.startsWith(":")) chains.push(chainOf(line, family, table));
    else if (line.startsWith("-A ") || line.startsWith("[")) rules.push(ruleOf(line, family, table, program));
    else return undefined;
  }
  return { tables, chains, rules };
}

function chainOf(line: string, family: string, table: string): Chain {
  const [, name = "", policy = ""] = /^:(\S+) (\S+)/.exec(line) ?? [];
  const chain = { key: `${family} ${table} ${name}`, table: `${family} ${table}`, name };
  const hook = BUILT_IN[name];
  if (hook === undefined) return chain;
  const priority = PRIORITIES[table] ?? (hook === "prerouting" || hook === "output" ? NAT.destination : NAT.source);
  return { ...chain, base: { hook, priority, policy: policy.toLowerCase(), type: table === "nat" ? "nat" : "filter" } };
}

function ruleOf(line: string, family: string, table: string, program: string): Rule {
  // With -c a line begins with its counters.
  const specification = line.replace(/^\[\d+:\d+\] /, "").slice("-A ".length);
  const words = wordsOf(specification);
  const [chain = ""] = words;
  const target = after(words, "-j") ?? after(words, "-g");
  return {
    chain: `${family} ${table} ${chain}`,
    touches: touchesOf(words, target ?? ""),
    targets: target === undefined ? [] : [`${family} ${table} ${target}`],
    removal: `${program} -t ${table} -D ${specification}`,
  };
}

/** Text in quotes is one word: a comment must not be taken for options. */
const wordsOf = (specification: string): readonly string[] =>
  [...specification.matchAll(/"(?:[^"\\]|\\.)*"|\S+/g)].map(([word]) => word);

function after(words: readonly string[], option: string): string | undefined {
  const at = words.indexOf(option);
  return at < 0 ? undefined : words[at + 1];
}

/** `0x1/0xff`: value and mask; without a mask all bits count. */
function maskOf(text: string): { readonly value: number; readonly mask: number } {
  const [value = "0", mask = "0xffffffff"] = text.split("/");
  return { value: Number(value) >>> 0, mask: Number(mask) >>> 0 };
}

function touchesOf(words: readonly string[], target: string): readonly Touch[] {
  return [...readsOf(words), ...writesOf(words, target)];
}

function readsOf(words: readonly string[]): readonly Touch[] {
  const modules = words.flatMap((word, index) => (word === "-m" ? [words[index + 1]] : []));
  const match = after(words, "--mark");
  // `-m connmark --mark` reads the connection's.
  if (match === undefined || !modules.includes("mark")) return [];
  return [{ kind: "mark", access: "read", bits: maskOf(match).mask }];
}

function writesOf(words: readonly string[], target: string): readonly Touch[] {
  switch (target) {
    case "MARK": {
      // The tool prints every way to set a mark as: clear the mask's bits, then flip the value's.
      const { value, mask } = maskOf(after(words, "--set-xmark") ?? "0/0xffffffff");
      return [{ kind: "mark", access: "write", bits: (value | mask) >>> 0 }];
    }
    case "CONNMARK":
      return words.includes("--restore-mark")
        ? [{ kind: "mark", access: "write", bits: Number(after(words, "--nfmask") ?? ALL_BITS) >>> 0 }]
        : [];
    case "SET":
      return [
        ...(words.includes("--map-mark") ? [{ kind: "mark", access: "write", bits: ALL_BITS } as const] : []),
        ...(words.includes("--map-prio") ? [{ kind: "priority" } as const] : []),
      ];
    default:
      return touchesOfTarget(target);
  }
}
