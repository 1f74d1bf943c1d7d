/** Short cuts that take packets past our rules or our queues. */
import { bitsPerSecond } from "../../../model/units.js";
import type { Check, CheckContext } from "../check.js";
import { type Finding, fault, faultsOr, unseen } from "../finding.js";
import { look, type Seen } from "../machine.js";
import { type Offload, parseFeatures } from "../sources/ethtool.js";
import type { Flowtable } from "../sources/nft.js";
import { foreignRules, touching } from "../sources/rulebook.js";
import type { Rule } from "../sources/rules.js";
import type { SubjectInterface } from "../subject.js";
import { interfacesInQuestion } from "./interfaces-in-question.js";

const BYPASS = "packets of an offloaded flow skip the forward hook: not marked, not policed, not counted";

async function checkFlowtables(context: CheckContext): Promise<readonly Finding[]> {
  const id = "offload.flowtable";
  const ruleset = await context.sources.ruleset();
  if (!ruleset.seen) return [unseen(id, "flowtables", ruleset.reason, "sudo sluice doctor")];
  const { names } = await interfacesInQuestion(context);
  const concerns = (table: Flowtable): boolean =>
    !context.subject.isConfigured || table.devices.some((device) => names.includes(device));
  const faults = await Promise.all(
    ruleset.value.flowtables.filter(concerns).map(async (table) => {
      const { family, table: parent, name, devices } = table;
      const hardware = (await isInHardware(context, table))
        ? "; with the flag offload the network card does it alone"
        : "";
      return fault({
        id,
        severity: context.subject.isConfigured ? "error" : "warning",
        what: `flowtable ${name} of table ${family} ${parent} offloads flows of ${devices.join(", ")}`,
        why: `${BYPASS}${hardware}`,
        remedy: removalOf(table, ruleset.value.rules),
      });
    }),
  );
  return faultsOr(faults, id, "no flowtable offloads our flows");
}

/** As JSON nft does not print a flowtable's flags. */
async function isInHardware({ machine }: CheckContext, { family, table, name }: Flowtable): Promise<boolean> {
  const text = await look(machine, ["nft", "list", "flowtable", family, table, name], (out) => out);
  return text.seen && /^\s*flags offload/m.test(text.value);
}

/** The rules that use it hold it: they go first. */
function removalOf({ family, table, name }: Flowtable, rules: readonly Rule[]): string {
  const users = rules.filter(
    ({ chain, touches }) => chain.startsWith(`${family} ${table} `) && touches.some(({ kind }) => kind === "offload"),
  );
  return [...users.map(({ removal }) => removal), `nft delete flowtable ${family} ${table} ${name}`].join(" && ");
}

async function checkTargets(context: CheckContext): Promise<readonly Finding[]> {
  const id = "offload.iptables";
  const book = await foreignRules(context.sources, context.subject);
  if (!book.seen) return [unseen(id, "rules that offload flows", book.reason, "sudo sluice doctor")];
  const found = touching(book.value, "offload", () => true).filter(({ rule }) => !rule.removal.startsWith("nft "));
  const faults = found.map(({ rule }) =>
    fault({
      id,
      severity: "error",
      what: `a rule of ${rule.chain} offloads flows`,
      why: BYPASS,
      remedy: rule.removal,
    }),
  );
  return faultsOr(faults, id, "no rule of iptables offloads flows");
}

async function checkXdp(context: CheckContext): Promise<readonly Finding[]> {
  const id = "offload.xdp";
  const links = await context.sources.links();
  if (!links.seen) return [unseen(id, "XDP programs", links.reason)];
  const { names, grade } = await interfacesInQuestion(context);
  const faults = links.value
    .filter(({ name, hasXdp }) => hasXdp && names.includes(name))
    .map(({ name }) =>
      fault({
        id,
        severity: grade,
        what: `an XDP program handles what ${name} receives`,
        why: "packets that it drops or redirects never reach our rules",
        remedy: `ip link set dev ${name} xdp off`,
      }),
    );
  return faultsOr(faults, id, "no XDP program stands before our rules");
}

type Features = ReadonlyMap<string, Offload>;
/** Below this a burst of one aggregated packet takes longer than media can wait. */
const SLOW = bitsPerSecond(100_000_000);
const AGGREGATE = 65_536 * 8;
const AGGREGATIONS: readonly (readonly [feature: string, option: string])[] = [
  ["tcp-segmentation-offload", "tso"],
  ["generic-segmentation-offload", "gso"],
  ["generic-receive-offload", "gro"],
];

function offloadFaults(link: SubjectInterface, features: Features): readonly Finding[] {
  const { name, rate } = link;
  const isOn = (feature: string): boolean => features.get(feature)?.isOn === true;
  const faults: Finding[] = [];
  if (isOn("hw-tc-offload")) {
    const what = `${name} may carry out queueing in hardware (hw-tc-offload is on)`;
    const why = "rules that other programs offload there are met before ours, and packets that match do not reach us";
    faults.push(
      fault({ id: "offload.hardware", severity: "warning", what, why, remedy: `ethtool -K ${name} hw-tc-offload off` }),
    );
  }
  if (isOn("large-receive-offload")) {
    const what = `${name} merges received packets (large-receive-offload is on)`;
    const why = "merged packets cannot be forwarded as they came: they are lost or sent too large";
    faults.push(fault({ id: "offload.lro", severity: "warning", what, why, remedy: `ethtool -K ${name} lro off` }));
  }
  const merging = AGGREGATIONS.filter(([feature]) => isOn(feature)).map(([, option]) => option);
  if (rate < SLOW && merging.length > 0) {
    const wait = Math.round((AGGREGATE / rate) * 1000);
    const what = `${name} handles packets in bundles of up to 64 KiB (${merging.join(", ")})`;
    const why = `at ${rate / 1e6} Mbit/s a bundle of best effort occupies the link for ${wait} ms, and media wait behind it`;
    const remedy = `ethtool -K ${name} ${merging.map((option) => `${option} off`).join(" ")}`;
    faults.push(fault({ id: "offload.bundles", severity: "note", what, why, remedy }));
  }
  return faults;
}

async function checkFeatures(context: CheckContext): Promise<readonly Finding[]> {
  const { machine, subject, sources } = context;
  const links = await sources.links();
  const present = subject.interfaces.filter(
    ({ name }) => !links.seen || links.value.some((link) => link.name === name),
  );
  const found = await Promise.all(
    present.map(async (link): Promise<readonly Finding[]> => {
      const features: Seen<Features> = await look(machine, ["ethtool", "-k", link.name], parseFeatures);
      if (features.seen) return offloadFaults(link, features.value);
      const remedy = features.isAbsent ? "apt-get install ethtool" : "";
      return [unseen("offload.features", `offloads of ${link.name}`, features.reason, remedy)];
    }),
  );
  return faultsOr(found.flat(), "offload.features", "no offload of a managed interface is in the way");
}

export const offloadChecks: readonly Check[] = [
  { name: "offload.flowtable", run: checkFlowtables },
  { name: "offload.iptables", run: checkTargets },
  { name: "offload.xdp", run: checkXdp },
  { name: "offload.features", run: checkFeatures },
];
