/** Whether packet filters of others let the packets of RSVP in and out. */
import { type Finding, fault, faultsOr, unseen } from "../kernel/preflight/finding.js";
import { look, type Machine } from "../kernel/preflight/machine.js";
import { type FilterChain, parseFilters, takingOf } from "../kernel/preflight/sources/verdicts.js";

const ID = "rsvp.filtered";

interface Question {
  readonly hook: "input" | "output" | "forward";
  /** RFC 2205 §3.1: 46. RFC 3175 §1.4.2: messages between hosts are hidden from the routers inside by 134. */
  readonly protocol: number;
  readonly names: readonly string[];
  readonly severity: "warning" | "note";
  readonly why: string;
}

/** Those with the Router Alert option are taken out before the hook `forward`; all others are addressed to a neighbour. */
const QUESTIONS: readonly Question[] = [
  {
    hook: "input",
    protocol: 46,
    names: ["rsvp"],
    severity: "warning",
    why: "what neighbours reserve is not heard: no reservation towards them comes about",
  },
  {
    hook: "output",
    protocol: 46,
    names: ["rsvp"],
    severity: "warning",
    why: "neighbours hear nothing, and no reservation comes about",
  },
  {
    hook: "forward",
    protocol: 134,
    names: ["rsvp-e2e-ignore"],
    severity: "note",
    why: "reservations between hosts that other routers carry over this one do not come about",
  },
];

export async function examineFirewall(machine: Machine, table: string): Promise<readonly Finding[]> {
  const chains = await look(machine, ["nft", "--json", "--terse", "list", "ruleset"], parseFilters);
  if (!chains.seen) return [unseen(ID, "rules that drop RSVP", chains.reason, "sudo sluice doctor")];
  const foreign = chains.value.filter((chain) => chain.table !== table);
  const faults = QUESTIONS.flatMap((question) =>
    foreign.filter(({ hook }) => hook === question.hook).flatMap((chain) => findingOf(chain, question)),
  );
  return faultsOr(faults, ID, "no packet filter drops RSVP");
}

function findingOf(chain: FilterChain, question: Question): readonly Finding[] {
  const { family, table, name } = chain;
  const { protocol, names, severity, why } = question;
  const taking = takingOf(chain, protocol, names);
  if (taking === undefined) return [];
  if (taking.by === "rule") {
    const { chain: place, handle } = taking.rule;
    const what = `a rule of ${family} ${table} ${place} drops IP protocol ${protocol}`;
    return [
      fault({ id: ID, severity, what, why, remedy: `nft delete rule ${family} ${table} ${place} handle ${handle}` }),
    ];
  }
  return [
    fault({
      id: ID,
      severity,
      what: `${family} ${table} ${name} drops what no rule accepts, and none accepts IP protocol ${protocol}`,
      why,
      remedy: `nft insert rule ${family} ${table} ${name} meta l4proto ${protocol} accept`,
      detail: "where a firewall manager keeps these rules, have it accept the protocol",
    }),
  ];
}
