/** The HTB trees of all managed interfaces: read by rtnetlink, changed by `tc`, one batch for all of them. */
import { KernelError } from "../../model/errors.js";
import { toBitsPerSecond } from "../../model/units.js";
import type { Routing } from "../netlink/routing.js";
import type { ManagedInterface, ObservedClass, PoolClass } from "../port.js";
import { runTool } from "../tool.js";
import { minorOf, NO_TREE, type ObservedTree, ROOT_HANDLE, treeCommands } from "./difference.js";
import { type ObservedHtbClass, type ObservedQdisc, readHtbClass, readQdisc, TC_ROOT } from "./observed.js";
import { CLASS, classesOf, poolOfMinor, signatureOf } from "./tree.js";

interface Survey {
  readonly names: ReadonlyMap<number, string>;
  readonly qdiscs: readonly ObservedQdisc[];
}

/** Trees of ours, by interface name. */
export type ObservedTrees = ReadonlyMap<string, ObservedTree>;

export class Trees {
  readonly #routing: Routing;
  readonly #signature: number;

  constructor(routing: Routing, table: string) {
    this.#routing = routing;
    this.#signature = signatureOf(table);
  }

  async read(): Promise<ObservedTrees> {
    return this.#trees(await this.#survey());
  }

  /**
   * That `links` can be managed, before anything is touched.
   * @throws KernelError KERNEL_INTERFACE_MISSING or KERNEL_FOREIGN_QDISC.
   */
  async check(links: readonly ManagedInterface[]): Promise<void> {
    const survey = await this.#survey();
    for (const link of links) {
      const index = [...survey.names].find(([, name]) => name === link.name)?.[0];
      const operation = `manage interface ${link.name}`;
      if (index === undefined) {
        throw new KernelError(
          "KERNEL_INTERFACE_MISSING",
          `there is no interface ${link.name}`,
          { operation, errno: "ENODEV" },
          { remedy: "`ip link` lists the interfaces; correct the configuration or create the interface first" },
        );
      }
      // The kernel gives its own default qdiscs the handle 0; every other was put there by somebody.
      const root = survey.qdiscs.find((qdisc) => qdisc.interfaceIndex === index && qdisc.parent === TC_ROOT);
      if (root === undefined || root.handle === 0 || this.#isOurs(root)) continue;
      throw new KernelError(
        "KERNEL_FOREIGN_QDISC",
        `${link.name} already has a root qdisc (${root.kind} ${(root.handle >>> 16).toString(16)}:) that is not ours`,
        { operation, errno: "EEXIST" },
        { remedy: `if nobody needs it, remove it: tc qdisc del dev ${link.name} root` },
      );
    }
  }

  /** Whether the trees are what interfaces and pools call for, none too many. */
  matches(trees: ObservedTrees, links: readonly ManagedInterface[], pools: readonly PoolClass[]): boolean {
    return this.#commands(trees, links, pools).length === 0;
  }

  /** Changes what differs and nothing else; trees on interfaces that are no longer wanted go. */
  async reconcile(links: readonly ManagedInterface[], pools: readonly PoolClass[]): Promise<void> {
    await this.#run(this.#commands(await this.read(), links, pools));
  }

  async remove(): Promise<void> {
    await this.#run(this.#commands(await this.read(), [], []));
  }

  classesIn(trees: ObservedTrees): readonly ObservedClass[] {
    return [...trees].flatMap(([name, tree]) => tree.classes.flatMap((entry) => observedClass(name, entry)));
  }

  #commands(trees: ObservedTrees, links: readonly ManagedInterface[], pools: readonly PoolClass[]): readonly string[] {
    const wanted = new Set(links.map((link) => link.name));
    const gone = [...trees.keys()].filter((name) => !wanted.has(name)).map((name) => `qdisc del dev ${name} root`);
    const changes = links.flatMap((link) =>
      treeCommands(link.name, this.#signature, classesOf(link, pools), trees.get(link.name) ?? NO_TREE),
    );
    return [...gone, ...changes];
  }

  async #run(commands: readonly string[]): Promise<void> {
    if (commands.length === 0) return;
    try {
      await runTool("tc", ["-batch", "-"], `${commands.join("\n")}\n`);
    } catch (error) {
      throw error instanceof KernelError ? nameCommand(error, commands) : error;
    }
  }

  async #survey(): Promise<Survey> {
    const names = await this.#routing.links();
    return { names, qdiscs: (await this.#routing.qdiscs()).map(readQdisc) };
  }

  async #trees(survey: Survey): Promise<ObservedTrees> {
    const trees = new Map<string, ObservedTree>();
    for (const root of survey.qdiscs) {
      const name = survey.names.get(root.interfaceIndex);
      if (name === undefined || root.parent !== TC_ROOT || !this.#isOurs(root)) continue;
      const bodies = await this.#routing.classes(root.interfaceIndex);
      const classes = bodies.map(readHtbClass).filter((entry) => entry !== undefined);
      const leaves = survey.qdiscs.filter(
        (qdisc) =>
          qdisc.interfaceIndex === root.interfaceIndex && minorOf(qdisc.parent) !== 0 && qdisc.parent !== TC_ROOT,
      );
      trees.set(name, { present: true, classes, leaves });
    }
    return trees;
  }

  #isOurs(qdisc: ObservedQdisc): boolean {
    const { kind, handle, htb } = qdisc;
    return (
      kind === "htb" && handle === ROOT_HANDLE && htb?.r2q === this.#signature && htb.defaultClass === CLASS.default
    );
  }
}

/** tc names the line that failed; the reader wants the command. */
function nameCommand(error: KernelError, commands: readonly string[]): KernelError {
  const line = /Command failed -:(\d+)/.exec(String(error.cause ?? error.detail.stderr ?? ""))?.[1];
  const command = line === undefined ? commands.join("; ") : commands[Number(line) - 1];
  const detail = { ...error.detail, operation: `tc ${command}` };
  return new KernelError(error.code, `tc ${command}: ${error.detail.stderr ?? "failed"}`, detail, {
    cause: error,
    ...(error.remedy === undefined ? {} : { remedy: error.remedy }),
  });
}

function observedClass(name: string, entry: ObservedHtbClass): readonly ObservedClass[] {
  const minor = minorOf(entry.handle);
  const common = {
    interface: name,
    rate: toBitsPerSecond(entry.rate),
    ceil: toBitsPerSecond(entry.ceil),
    sent: { packets: entry.packets, octets: entry.octets },
    dropped: entry.dropped,
    backlog: entry.backlog,
  };
  if (minor === CLASS.link) return [{ ...common, kind: "link" }];
  if (minor === CLASS.signalling) return [{ ...common, kind: "signalling" }];
  if (minor === CLASS.default) return [{ ...common, kind: "default" }];
  const pool = poolOfMinor(minor);
  return pool === undefined ? [] : [{ ...common, kind: "pool", pool }];
}
