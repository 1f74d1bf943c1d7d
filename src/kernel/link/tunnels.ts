/** The tunnels of this router: read as JSON from `ip`, changed by its batches. */
import { KernelError } from "../../model/errors.js";
import type { RenderedStep, Tunnel, TunnelId } from "../port.js";
import type { ScratchRunner } from "../probe/scratch.js";
import { runTool } from "../tool.js";
import { fouPortOf } from "./fou-port.js";
import { KindCheck } from "./kinds.js";
import { TunnelNames } from "./names.js";
import { fouPorts } from "./observed.js";
import { conflictAmong, tunnelProblem } from "./problem.js";
import { FAMILIES, type ObservedTunnels, readTunnels } from "./reading.js";
import { setCommands } from "./replacement.js";
import { loosenReversePath } from "./reverse-path.js";
import { deleteCommands, type IpCommands, type TunnelParts } from "./tunnel.js";

export type { ObservedTunnels } from "./reading.js";

export class Tunnels {
  readonly #names: TunnelNames;
  readonly #kinds: KindCheck;

  /** @param scratch - where kinds are tried */
  constructor(table: string, scratch?: ScratchRunner) {
    this.#names = new TunnelNames(table);
    this.#kinds = new KindCheck(scratch);
  }

  device(id: TunnelId): string {
    return this.#names.device(id);
  }

  /**
   * @param tunnels - those that are to be set
   * @param desired - all that there shall be, those among them
   * @throws KernelError KERNEL_TUNNEL_INVALID before anything is touched.
   */
  check(tunnels: Iterable<Tunnel>, desired?: Iterable<Tunnel>): void {
    const sets = [...tunnels];
    if (sets.length === 0) return;
    for (const tunnel of sets) {
      const problem = tunnelProblem(this.#names, tunnel);
      if (problem !== undefined) throw invalid(tunnel, problem);
    }
    const conflict = conflictAmong(desired ?? sets);
    if (conflict !== undefined) throw invalid(conflict.tunnel, conflict.problem);
  }

  /**
   * Whether the kernel has their kinds: tried once for each, so that nothing need be touched for one that it lacks.
   * @throws KernelError KERNEL_UNSUPPORTED, naming the kinds that there are.
   */
  checkKinds(tunnels: Iterable<Tunnel>): Promise<void> {
    return this.#kinds.check(tunnels);
  }

  read(): Promise<ObservedTunnels> {
    return readTunnels(this.#names);
  }

  /**
   * Makes them; what there is of the same number is taken away before, and what the kernel cannot have beside them. A
   * strict reverse path filter on their devices is loosened.
   * @throws KernelError KERNEL_UNSUPPORTED, KERNEL_TOOL_FAILED; the latter also where IP in UDP has no way to the far end yet.
   */
  async set(tunnels: readonly Tunnel[]): Promise<void> {
    await this.#run(await this.#setCommands(tunnels));
    for (const { id } of tunnels) await loosenReversePath(this.device(id));
  }

  async remove(ids: Iterable<TunnelId>): Promise<void> {
    await this.#run(await this.#removeCommands(ids));
  }

  /** What is left of tunnels that somebody else damaged. */
  async removeBroken(): Promise<void> {
    const { whole, parts } = await this.read();
    await this.remove([...parts.keys()].filter((id) => !whole.has(id)));
  }

  /** Everything of ours, whole or not. */
  async removeAll(): Promise<void> {
    await this.remove((await this.read()).parts.keys());
  }

  /** What `set` and `remove` would run. */
  async render(sets: readonly Tunnel[], removes: Iterable<TunnelId>): Promise<readonly RenderedStep[]> {
    const commands = [...(await this.#setCommands(sets)), ...(await this.#removeCommands(removes))];
    return commands.flatMap(stepsOf);
  }

  async renderRemoveAll(): Promise<readonly RenderedStep[]> {
    return this.render([], (await this.read()).parts.keys());
  }

  async #setCommands(tunnels: readonly Tunnel[]): Promise<readonly IpCommands[]> {
    if (tunnels.length === 0) return [];
    await this.checkKinds(tunnels);
    const hasPorts = tunnels.some((tunnel) => fouPortOf(tunnel) !== undefined);
    const [observed, ports] = await Promise.all([this.read(), hasPorts ? fouPorts() : []]);
    return setCommands(this.#names, observed, ports, tunnels);
  }

  async #removeCommands(ids: Iterable<TunnelId>): Promise<readonly IpCommands[]> {
    const wanted = [...ids];
    const { parts } = wanted.length === 0 ? { parts: new Map<TunnelId, TunnelParts>() } : await this.read();
    return wanted.flatMap((id) => {
      const present = parts.get(id);
      return present === undefined ? [] : [deleteCommands(this.#names, id, present)];
    });
  }

  async #run(commands: readonly IpCommands[]): Promise<void> {
    for (const step of commands.flatMap(stepsOf)) await runTool("ip", step.args, step.input);
  }
}

function invalid(tunnel: Tunnel, problem: string): KernelError {
  const object = `tunnel ${tunnel.id} "${tunnel.name}"`;
  const detail = { operation: `check ${object}`, errno: "EINVAL" };
  return new KernelError("KERNEL_TUNNEL_INVALID", `${object}: ${problem}`, detail);
}

const stepsOf = (commands: IpCommands): readonly RenderedStep[] =>
  FAMILIES.filter((family) => commands[family].length > 0).map((family) => ({
    tool: "ip",
    args: family === 4 ? ["-batch", "-"] : ["-6", "-batch", "-"],
    input: `${commands[family].join("\n")}\n`,
  }));
