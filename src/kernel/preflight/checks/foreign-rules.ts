/** Rules of others that write or read what ours decide by: the mark, the code point, the class. */
import type { Check, CheckContext } from "../check.js";
import { type Finding, fault, faultsOr, unseen } from "../finding.js";
import { foreignRules, type TouchingRule, touching } from "../sources/rulebook.js";
import type { Moment } from "../sources/rules.js";
import { OUR_PRIORITY } from "../subject.js";

/** Forwarded packets pass these; those of the router itself only some. */
const ON_THE_WAY: ReadonlySet<string> = new Set([
  "ingress",
  "prerouting",
  "forward",
  "output",
  "postrouting",
  "egress",
]);
const LATE: ReadonlySet<string> = new Set(["postrouting", "egress"]);
/** Most rules of one kind that are told one by one. */
const MOST = 8;

const isOnTheWay = ({ hook }: Moment): boolean => ON_THE_WAY.has(hook);
/** At equal priority the order depends on who came first: either way round is possible. */
const isAfterUs = ({ hook, priority }: Moment): boolean =>
  LATE.has(hook) || ((hook === "forward" || hook === "output") && priority >= OUR_PRIORITY);

const hex = (bits: number): string => `0x${bits.toString(16)}`;
const when = (found: TouchingRule): string =>
  [...new Set(found.moments.map(({ hook, priority }) => `${hook} at priority ${priority}`))].join(", ");

/** One finding for each rule, and one more that counts the rest. */
function told<Found extends TouchingRule>(all: readonly Found[], tell: (found: Found) => Finding): readonly Finding[] {
  const findings = all.slice(0, MOST).map(tell);
  const [last] = findings.slice(-1);
  if (all.length <= MOST || last === undefined) return findings;
  return [...findings.slice(0, -1), { ...last, detail: `${last.detail}; and ${all.length - MOST} more rules like it` }];
}

async function checkMarks(context: CheckContext): Promise<readonly Finding[]> {
  const { sources, subject } = context;
  const id = "neighbour.mark";
  const book = await foreignRules(sources, subject);
  if (!book.seen) return [unseen(id, "rules that use the packet mark", book.reason, "sudo sluice doctor")];
  const colliding = touching(book.value, "mark", isOnTheWay).filter(
    ({ touch }) => (touch.bits & subject.markMask) !== 0,
  );
  const faults = told(colliding, (found) => {
    const { rule, touch } = found;
    const shared = hex((touch.bits & subject.markMask) >>> 0);
    const isWrite = touch.access === "write";
    return fault({
      id,
      severity: "warning",
      what: `a rule of ${rule.chain} ${isWrite ? "writes" : "decides by"} bits ${shared} of the packet mark, which are ours`,
      why: isWrite
        ? "sessions are sent another way than was decided, or their marks overwrite what that rule relies on"
        : "it takes packets of sessions for packets that its owner marked",
      remedy: rule.removal,
      detail: `${when(found)}; better, have its owner use bits outside ${hex(subject.markMask)} with a mask`,
    });
  });
  return faultsOr(faults, id, `nobody else uses the bits ${hex(subject.markMask)} of the packet mark`);
}

async function checkCodePoints(context: CheckContext): Promise<readonly Finding[]> {
  const id = "neighbour.dscp";
  const book = await foreignRules(context.sources, context.subject);
  if (!book.seen) return [unseen(id, "rules that write code points", book.reason, "sudo sluice doctor")];
  const faults = told(touching(book.value, "dscp", isAfterUs), (found) =>
    fault({
      id,
      severity: "warning",
      what: `a rule of ${found.rule.chain} writes the DSCP after us`,
      why: "packets of sessions leave with another code point than was decided",
      remedy: found.rule.removal,
      detail: when(found),
    }),
  );
  return faultsOr(faults, id, "nobody writes the DSCP after us");
}

async function checkClasses(context: CheckContext): Promise<readonly Finding[]> {
  const id = "neighbour.class";
  const book = await foreignRules(context.sources, context.subject);
  if (!book.seen) return [unseen(id, "rules that choose queues", book.reason, "sudo sluice doctor")];
  const faults = told(touching(book.value, "priority", isAfterUs), (found) =>
    fault({
      id,
      severity: "warning",
      what: `a rule of ${found.rule.chain} chooses the class of the queue after us`,
      why: "packets of sessions leave the class that is reserved for them",
      remedy: found.rule.removal,
      detail: when(found),
    }),
  );
  return faultsOr(faults, id, "nobody chooses the class of the queue after us");
}

export const foreignRuleChecks: readonly Check[] = [
  { name: "neighbour.mark", run: checkMarks },
  { name: "neighbour.dscp", run: checkCodePoints },
  { name: "neighbour.class", run: checkClasses },
];
