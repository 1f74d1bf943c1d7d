/** Who else filters packets here: order on the hooks, refusals, two systems at once, and programs that reload everything. */
import type { Check, CheckContext } from "../check.js";
import { type Finding, fault, faultsOr, fine, unseen } from "../finding.js";
import type { IptablesRules } from "../sources/iptables.js";
import { foreignRules, type Rulebook } from "../sources/rulebook.js";
import type { Chain } from "../sources/rules.js";
import { OUR_PRIORITY } from "../subject.js";

interface BaseChain extends Chain {
  readonly base: NonNullable<Chain["base"]>;
}

const isBase = (chain: Chain): chain is BaseChain => chain.base !== undefined;
/** Families of packets that pass ours; a bridge's own do not. */
const isRouted = ({ table }: Chain): boolean => /^(?:legacy )?(?:ip|ip6|inet) /.test(table);

function order(chains: readonly BaseChain[], hook: string): string {
  const place = (priority: number): string => {
    if (priority === OUR_PRIORITY) return "beside us, the order depends on who was loaded first";
    return priority < OUR_PRIORITY ? "before us" : "after us";
  };
  return chains
    .filter(({ base }) => base.hook === hook)
    .sort((left, right) => left.base.priority - right.base.priority)
    .map(({ key, base }) => `${hook} ${base.priority}: ${key} (policy ${base.policy}), ${place(base.priority)}`)
    .join("\n");
}

async function checkOrder(context: CheckContext): Promise<readonly Finding[]> {
  const id = "neighbour.hooks";
  const book = await foreignRules(context.sources, context.subject);
  if (!book.seen) return [unseen(id, "chains on our hooks", book.reason, "sudo sluice doctor")];
  const chains = book.value.chains.filter(isBase).filter(isRouted);
  const lines = ["prerouting", "forward", "postrouting"]
    .map((hook) => order(chains, hook))
    .filter((text) => text !== "");
  // Sharing a hook is no fault by itself: what others do there is judged rule by rule.
  return [fine(id, lines.length === 0 ? "nobody else is on our hooks" : "others are on our hooks", lines.join("\n"))];
}

const accepts = (book: Rulebook, chain: string): boolean =>
  book.rules.some((rule) => rule.chain === chain && / -j ACCEPT\b/.test(rule.removal));

/** Docker sets the policy and has one chain for others to make exceptions in. */
async function checkRefusals(context: CheckContext): Promise<readonly Finding[]> {
  const id = "neighbour.policy";
  const book = await foreignRules(context.sources, context.subject);
  if (!book.seen) return [unseen(id, "chains that drop by default", book.reason, "sudo sluice doctor")];
  const dropping = book.value.chains
    .filter(isBase)
    .filter((chain) => isRouted(chain) && chain.base.hook === "forward" && chain.base.policy === "drop");
  const faults = dropping.flatMap((chain): readonly Finding[] => {
    const exceptions = book.value.chains.find(({ table, name }) => table === chain.table && name === "DOCKER-USER");
    if (exceptions !== undefined && accepts(book.value, exceptions.key)) return [];
    const program = chain.table.includes("ip6") ? "ip6tables" : "iptables";
    return [
      fault({
        id,
        severity: exceptions === undefined ? "note" : "warning",
        what: `${chain.key} drops what no rule of it accepts`,
        why: "an admitted session that it does not accept is dropped after it was policed and counted",
        remedy:
          exceptions === undefined
            ? `accept routed media there: nft add rule ${chain.key} meta l4proto udp accept`
            : `${program} -I DOCKER-USER -j ACCEPT`,
        detail: "narrow the rule to your interfaces",
      }),
    ];
  });
  return faultsOr(faults, id, "nobody on the forward hook drops by default");
}

/** Copies the rules to the other system, then empties the tables that they came from. */
function migration({ family, tables }: IptablesRules): string {
  const program = family === "ip" ? "iptables" : "ip6tables";
  const flushes = tables.map((table) => `${program}-legacy -t ${table.slice(table.lastIndexOf(" ") + 1)} -F`);
  return [`${program}-legacy-save | ${program}-nft-restore --noflush`, ...flushes].join(" && ");
}

async function checkTwoSystems({ sources }: CheckContext): Promise<readonly Finding[]> {
  const id = "neighbour.legacy";
  const [iptables, ruleset] = await Promise.all([sources.iptables(), sources.ruleset()]);
  const legacy = iptables.filter(({ variant, rules }) => variant === "legacy" && rules.length > 0);
  // Who may not list the one may not list the other, and then sees none.
  if (legacy.length === 0 && !ruleset.seen) {
    return [unseen(id, "rules of iptables-legacy", ruleset.reason, "sudo sluice doctor")];
  }
  if (legacy.length === 0) return [fine(id, "no rules of iptables-legacy")];
  const families = legacy.map(({ family }) => (family === "ip" ? "IPv4" : "IPv6")).join(" and ");
  const isMixed = ruleset.seen && ruleset.value.rules.length > 0;
  return [
    fault({
      id,
      severity: isMixed ? "warning" : "note",
      what: `rules of iptables-legacy for ${families}${isMixed ? " beside rules of nftables" : ""}`,
      why: "both are asked for each packet, but neither tool shows the other's rules: an accept in one is no accept",
      remedy: legacy.map(migration).join(" && "),
      detail: `in ${legacy.flatMap(({ tables }) => tables).join(", ")}; make sure that no service loads them again`,
    }),
  ];
}

interface Program {
  readonly name: string;
  readonly isHere: (chain: Chain) => boolean;
  readonly meaning: string;
}

const PROGRAMS: readonly Program[] = [
  {
    name: "firewalld",
    isHere: ({ table }) => / firewalld$/.test(table),
    meaning: "its reload makes its own table anew and may flush others; what is ours is repaired within a second",
  },
  {
    name: "ufw",
    isHere: ({ name }) => name.startsWith("ufw-") || name.startsWith("ufw6-"),
    meaning: "it drops routed packets by default: allow media with `ufw route allow`",
  },
  {
    name: "docker",
    isHere: ({ name }) => name === "DOCKER" || name === "DOCKER-USER",
    meaning: "it may turn the policy of the forward chain to drop whenever it starts",
  },
  {
    name: "kube-proxy",
    isHere: ({ table, name }) => / kube-proxy$/.test(table) || name.startsWith("KUBE-"),
    meaning: "it marks packets with 0x4000 and 0x8000, and translates addresses before our forward hook sees them",
  },
];

async function checkPrograms(context: CheckContext): Promise<readonly Finding[]> {
  const id = "neighbour.firewall";
  const book = await foreignRules(context.sources, context.subject);
  if (!book.seen) return [unseen(id, "other firewalls", book.reason, "sudo sluice doctor")];
  const here = PROGRAMS.filter(({ isHere }) => book.value.chains.some(isHere));
  // Being there is no fault: the other checks tell what they do to us.
  return [
    fine(
      id,
      here.length === 0 ? "no other firewall is known here" : `beside us: ${here.map(({ name }) => name).join(", ")}`,
      here.map(({ name, meaning }) => `${name}: ${meaning}`).join("\n"),
    ),
  ];
}

const SERVICE_LINKS = ["sysinit.target.wants", "multi-user.target.wants"].map((name) => `/etc/systemd/system/${name}`);
const RULES_FILE = "/etc/nftables.conf";

async function checkService({ machine }: CheckContext): Promise<readonly Finding[]> {
  const id = "neighbour.flush";
  const names = (await Promise.all(SERVICE_LINKS.map((path) => machine.list(path)))).flat();
  const text = names.includes("nftables.service") ? ((await machine.read(RULES_FILE)) ?? "") : "";
  if (!/^\s*flush\s+ruleset/m.test(text)) return [fine(id, "no service flushes the whole ruleset")];
  return [
    fault({
      id,
      severity: "note",
      what: `nftables.service flushes the whole ruleset when it is reloaded (${RULES_FILE})`,
      why: "every table goes, ours too: it is back within a second, but until then sessions are best effort",
      remedy: `replace "flush ruleset" in ${RULES_FILE} by one "flush table FAMILY NAME" for each table defined there`,
    }),
  ];
}

export const neighbourChecks: readonly Check[] = [
  { name: "neighbour.hooks", run: checkOrder },
  { name: "neighbour.policy", run: checkRefusals },
  { name: "neighbour.legacy", run: checkTwoSystems },
  { name: "neighbour.firewall", run: checkPrograms },
  { name: "neighbour.flush", run: checkService },
];
