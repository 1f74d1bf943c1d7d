/** Our sets and chains as a whole: read, made, mended and taken away. */
import { createHash } from "node:crypto";
import { KernelError } from "../../model/errors.js";
import type { Logger } from "../../model/log.js";
import type { DesiredState, ObservedFlow, RenderedStep } from "../port.js";
import type { FlowClasses } from "./flow-class.js";
import { type AssembledFlows, assembleFlows, installLines, portLine, type SetContents } from "./flow-lines.js";
import { restoreAnyway, saveSets } from "./ipset.js";
import {
  foreignChain,
  hasRules,
  type OwnRulesOf,
  readOwnRules,
  removalSteps,
  restoreRules,
  rulesSteps,
  rulesText,
  saysItIsOurs,
} from "./mangle.js";
import { FAMILIES, type Names } from "./names.js";
import { portMark } from "./packet-mark.js";
import {
  addPoolLine,
  type FoundState,
  listingLine,
  readState,
  setHeaders,
  signallingKeys,
  stateLines,
} from "./set-layout.js";
import { deleteLine, type SavedSet, type SetElement, sameHeader } from "./set-text.js";

/** What there is under our names. */
export interface Survey extends AssembledFlows {
  readonly sets: ReadonlyMap<string, SavedSet>;
  readonly state: FoundState;
  readonly own: OwnRulesOf;
  /** Source ports that the port set turns into marks as it should. */
  readonly ports: ReadonlySet<number>;
}

export interface StructureOptions {
  /** Most flows of a family. */
  readonly maxFlows: number;
}

const contentsOf = (sets: ReadonlyMap<string, SavedSet>): SetContents =>
  new Map([...sets].map(([name, set]) => [name, set.elements]));

/** Every line is carried out whether or not it is so already. */
const setStep = (lines: readonly string[]): RenderedStep => ({
  tool: "ipset",
  args: ["-exist", "restore"],
  input: lines.map((line) => `${line}\n`).join(""),
});

export class Structure {
  readonly #names: Names;
  readonly #maxFlows: number;
  readonly #headers: ReadonlyMap<string, string>;
  readonly #log: Logger;

  constructor(names: Names, { maxFlows }: StructureOptions, log: Logger) {
    this.#names = names;
    this.#maxFlows = maxFlows;
    this.#headers = setHeaders(names, maxFlows);
    this.#log = log;
  }

  async read(): Promise<Survey> {
    const sets = await saveSets(this.#names.sets);
    return {
      ...assembleFlows(this.#names, contentsOf(sets)),
      sets,
      state: readState(sets.get(this.#names.state)?.elements ?? []),
      own: await readOwnRules(this.#names),
      ports: portsIn(sets.get(this.#names.ports)?.elements ?? []),
    };
  }

  /** Whether all but pools and flows is as it was when we made it, and nothing is among them that we did not put there. */
  isIntact(survey: Survey): boolean {
    const { sets, state, strays } = survey;
    const shaped = [...this.#headers].every(([name, header]) => sameHeader(sets.get(name)?.header ?? "", header));
    const whole = shaped && state.ours && missingPorts(survey).length === 0;
    return whole && state.listing === this.#digest(survey) && strays.length + state.strays.length === 0;
  }

  /** @throws KernelError KERNEL_FOREIGN_TABLE for chains or sets of our names that are not ours. */
  refuseForeign({ own, sets, state }: Survey): void {
    const chain = foreignChain(own);
    if (chain !== undefined) throw foreign(`the chain ${chain}`, `iptables -t mangle -F ${chain}`);
    const set = [...sets.keys()][0];
    if (set !== undefined && !state.ours && !saysItIsOurs(own)) throw foreign(`the set ${set}`, `ipset destroy ${set}`);
  }

  /** Makes it, or mends it in place: flows stay, and come back with their counters where sets had to be made anew. */
  async install(desired: DesiredState): Promise<Survey> {
    const before = await this.read();
    this.refuseForeign(before);
    if ([...this.#headers].some(([name, header]) => this.#isUnfit(before, name, header)))
      return this.#replace(before, desired);
    if (before.strays.length > 0) {
      this.#log.warn("kernel.table.strays", { table: this.#names.table, elements: before.strays.length });
    }
    const steps = this.installSteps(before, desired, before.classes);
    try {
      await this.#run(steps);
    } catch (error) {
      if (before.sets.size === 0 && !hasRules(before.own)) await this.#undoFirst();
      throw error;
    }
    return this.#sealed();
  }

  /** But for the note of what it looks like then. */
  installSteps(survey: Survey, desired: DesiredState, classes: FlowClasses): readonly RenderedStep[] {
    const { sets, state, strays, own } = survey;
    const missing = [...this.#headers].filter(([name]) => !sets.has(name));
    const signalling = FAMILIES.flatMap((family) => {
      const set = this.#names.signallingSet(family);
      const wanted = signallingKeys(desired, family);
      const gone = new Set((sets.get(set)?.elements ?? []).map((element) => element.key));
      for (const key of wanted) gone.delete(key);
      return [...wanted.map((key) => `add ${set} ${key}`), ...[...gone].map((key) => deleteLine(set, key))];
    });
    const lines = [
      ...missing.map(([name, header]) => `create ${name} ${header}`),
      ...stateLines(this.#names, desired, state),
      ...state.strays.map((key) => deleteLine(this.#names.state, key)),
      ...strays,
      ...signalling,
      ...missingPorts(survey).map((port) => portLine(this.#names, port)),
    ];
    return [setStep(lines), ...rulesSteps(this.#names, { state: desired, classes, maxFlows: this.#maxFlows }, own)];
  }

  /** The chains of the classes anew, and only they. */
  classSteps(own: OwnRulesOf, classes: FlowClasses): readonly RenderedStep[] {
    return rulesSteps(this.#names, { classes, maxFlows: this.#maxFlows }, own);
  }

  async setClasses(classes: FlowClasses): Promise<void> {
    await restoreRules(this.classSteps(await readOwnRules(this.#names), classes));
    await this.#seal();
  }

  removeSteps({ own, sets }: Survey): readonly RenderedStep[] {
    const lines = [...sets.keys()].map((name) => `destroy ${name}`);
    return [...removalSteps(own), ...(lines.length === 0 ? [] : [setStep(lines)])];
  }

  async remove(): Promise<void> {
    const survey = await this.read();
    this.refuseForeign(survey);
    await this.#run(this.removeSteps(survey));
  }

  /** In order; the rules of both families are tested before either is changed. */
  async #run(steps: readonly RenderedStep[]): Promise<void> {
    const rules = steps.filter(({ tool }) => tool !== "ipset");
    for (const step of steps) {
      if (step.tool === "ipset") await restoreAnyway(step.input.split("\n").filter((line) => line !== ""));
      else if (step === rules[0]) await restoreRules(rules);
    }
  }

  /** A set whose shape is another has to be made anew, and a set in use cannot: everything goes and comes back. */
  async #replace(before: Survey, desired: DesiredState): Promise<Survey> {
    await this.#run(this.removeSteps(before));
    const cleared = await this.read();
    await this.#run(this.installSteps({ ...cleared, flows: before.flows }, desired, before.classes));
    await restoreAnyway([
      ...before.state.pools.map((pool) => addPoolLine(this.#names, pool)),
      ...[...before.flows.values()].flatMap((flow) => this.#linesOf(flow, before)),
    ]);
    this.#log.warn("kernel.table.replaced", { table: this.#names.table, flows: before.flows.size });
    return this.#sealed();
  }

  #linesOf({ rule, counters }: ObservedFlow, { numbers }: Survey): readonly string[] {
    const number = numbers.get(rule.id);
    if (number === undefined) return [];
    const { counting, matching } = installLines(this.#names, rule, number, counters);
    return [...counting, matching];
  }

  #isUnfit({ sets }: Survey, name: string, header: string): boolean {
    const set = sets.get(name);
    return set !== undefined && !sameHeader(set.header, header);
  }

  /** The first installation failed half-way: nothing of it stays. */
  async #undoFirst(): Promise<void> {
    try {
      await this.#run(this.removeSteps(await this.read()));
    } catch (error) {
      this.#log.error("kernel.table.undo", { table: this.#names.table, error });
    }
  }

  async #sealed(): Promise<Survey> {
    await this.#seal();
    return this.read();
  }

  /** Notes what the structure looks like, so that a later change by others is seen. */
  async #seal(): Promise<void> {
    const sets = await saveSets(FAMILIES.map(this.#names.signallingSet));
    const digest = this.#digest({ sets, own: await readOwnRules(this.#names) });
    await restoreAnyway([listingLine(this.#names, digest)]);
  }

  #digest({ sets, own }: Pick<Survey, "sets" | "own">): string {
    const servers = FAMILIES.flatMap((family) => {
      const set = this.#names.signallingSet(family);
      return (sets.get(set)?.elements ?? []).map((element) => `${family} ${element.key}`).sort();
    });
    const text = [rulesText(own), ...servers].join("\n");
    return createHash("sha256").update(text).digest("hex").slice(0, 32);
  }
}

function portsIn(elements: readonly SetElement[]): ReadonlySet<number> {
  const right = elements.filter(({ key, mark }) => {
    const wanted = portMark(Number(key));
    return mark?.value === wanted.value && mark.mask === wanted.mask;
  });
  return new Set(right.map(({ key }) => Number(key)));
}

/** Source ports of flows that the port set lacks: such flows would not be recognised. */
function missingPorts({ flows, ports }: Pick<Survey, "flows" | "ports">): readonly number[] {
  const missing = new Set<number>();
  for (const { rule } of flows.values()) {
    const { port } = rule.key.source;
    if (port !== undefined && !ports.has(port)) missing.add(port);
  }
  return [...missing];
}

function foreign(object: string, command: string): KernelError {
  return new KernelError(
    "KERNEL_FOREIGN_TABLE",
    `${object} was not made by Sluice`,
    { operation: `own ${object}`, errno: "EEXIST" },
    { remedy: `choose another table name, or if nobody needs it: ${command}` },
  );
}
