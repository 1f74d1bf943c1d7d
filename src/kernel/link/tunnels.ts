/** The tunnels of this router: read as JSON from `ip`, changed by its batches. */
import { KernelError } from "../../model/errors.js";
import type { IpFamily } from "../../model/ip.js";
import type { RenderedStep, Tunnel, TunnelId } from "../port.js";
import { runTool } from "../tool.js";
import { routesOf, ruleTables, vxlanDevices } from "./observed.js";
import {
  createCommands,
  deleteCommands,
  type IpCommands,
  NO_PARTS,
  PROTOCOL_NUMBER,
  TunnelNames,
  type TunnelParts,
  tunnelOf,
  tunnelProblem,
} from "./tunnel.js";

const FAMILIES: readonly IpFamily[] = [4, 6];

export interface ObservedTunnels {
  /** Those of which everything is there. */
  readonly whole: ReadonlyMap<TunnelId, Tunnel>;
  /** Whatever there is of each, whole ones included. */
  readonly parts: ReadonlyMap<TunnelId, TunnelParts>;
}

export class Tunnels {
  readonly #names: TunnelNames;

  constructor(table: string) {
    this.#names = new TunnelNames(table);
  }

  device(id: TunnelId): string {
    return this.#names.device(id);
  }

  /** @throws KernelError KERNEL_TUNNEL_INVALID before anything is touched. */
  check(tunnels: Iterable<Tunnel>): void {
    for (const tunnel of tunnels) {
      const problem = tunnelProblem(this.#names, tunnel);
      if (problem === undefined) continue;
      const object = `tunnel ${tunnel.id} "${tunnel.name}"`;
      throw new KernelError("KERNEL_TUNNEL_INVALID", `${object}: ${problem}`, {
        operation: `check ${object}`,
        errno: "EINVAL",
      });
    }
  }

  async read(): Promise<ObservedTunnels> {
    const [devices, rules, routes] = await Promise.all([vxlanDevices(), byFamily(ruleTables), byFamily(routesOf)]);
    const parts = new Map<TunnelId, TunnelParts>();
    const partsOf = (id: TunnelId): TunnelParts => parts.get(id) ?? NO_PARTS;
    for (const family of FAMILIES) {
      for (const table of rules[family]) {
        const id = this.#names.idOfRouteTable(table);
        if (id === undefined) continue;
        const known = partsOf(id);
        parts.set(id, { ...known, rules: { ...known.rules, [family]: known.rules[family] + 1 } });
      }
      for (const { table, destination, isThrow } of routes[family]) {
        const id = this.#names.idOfRouteTable(table);
        if (id === undefined || !isThrow) continue;
        const known = partsOf(id);
        const throws = { ...known.throws, [family]: [...known.throws[family], destination] };
        parts.set(id, { ...known, throws });
      }
    }
    const whole = new Map<TunnelId, Tunnel>();
    for (const device of devices) {
      const id = this.#names.idOfDevice(device.name);
      if (id === undefined) continue;
      const found = { ...partsOf(id), device: true };
      parts.set(id, found);
      const tunnel = tunnelOf(this.#names, device);
      const routed = (family: IpFamily): boolean =>
        routes[family].some((route) => route.device === device.name && route.destination === "default");
      const complete = FAMILIES.every((family) => found.rules[family] === 1 && routed(family));
      const excepted = [...found.throws[4], ...found.throws[6]];
      if (complete && tunnel !== undefined && excepted.length === 1 && excepted[0] === tunnel.remote)
        whole.set(id, tunnel);
    }
    return { whole, parts };
  }

  /** Makes them; what there is of the same number is taken away before. */
  async set(tunnels: readonly Tunnel[]): Promise<void> {
    await this.#run(await this.#setCommands(tunnels));
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
    const { parts } = tunnels.length === 0 ? { parts: new Map<TunnelId, TunnelParts>() } : await this.read();
    return tunnels.flatMap((tunnel) => {
      const present = parts.get(tunnel.id);
      const before = present === undefined ? [] : [deleteCommands(this.#names, tunnel.id, present)];
      return [...before, createCommands(this.#names, tunnel)];
    });
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

const stepsOf = (commands: IpCommands): readonly RenderedStep[] =>
  FAMILIES.filter((family) => commands[family].length > 0).map((family) => ({
    tool: "ip",
    args: family === 4 ? ["-batch", "-"] : ["-6", "-batch", "-"],
    input: `${commands[family].join("\n")}\n`,
  }));

async function byFamily<Found>(
  read: (family: IpFamily, protocol: number) => Promise<Found>,
): Promise<Readonly<Record<IpFamily, Found>>> {
  const [four, six] = await Promise.all([read(4, PROTOCOL_NUMBER), read(6, PROTOCOL_NUMBER)]);
  return { 4: four, 6: six };
}
