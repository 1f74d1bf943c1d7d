/** What there is of our tunnels: devices, ports, rules and routes, put together by their numbers. */
import type { IpFamily } from "../../model/ip.js";
import type { Tunnel, TunnelId } from "../port.js";
import { type TunnelDevice, tunnelOf } from "./device.js";
import { type FouPort, fouPortOf, sameFouPort } from "./fou-port.js";
import type { TunnelNames } from "./names.js";
import { type FoundRoute, fouPorts, routesOf, ruleTables, tunnelDevices } from "./observed.js";
import { NO_PARTS, PROTOCOL_NUMBER, type TunnelParts } from "./tunnel.js";

export const FAMILIES: readonly IpFamily[] = [4, 6];

export interface ObservedTunnels {
  /** Those of which everything is there. */
  readonly whole: ReadonlyMap<TunnelId, Tunnel>;
  /** Whatever there is of each, whole ones included. */
  readonly parts: ReadonlyMap<TunnelId, TunnelParts>;
}

type ByFamily<Value> = Readonly<Record<IpFamily, Value>>;

/** What `ip` told. */
export interface TunnelListing {
  readonly devices: readonly TunnelDevice[];
  /** Numbers of the tables that rules with our protocol number lead to. */
  readonly rules: ByFamily<readonly number[]>;
  readonly routes: ByFamily<readonly FoundRoute[]>;
  readonly ports: readonly FouPort[];
}

export async function readTunnels(names: TunnelNames): Promise<ObservedTunnels> {
  const [devices, rules, routes] = await Promise.all([tunnelDevices(), byFamily(ruleTables), byFamily(routesOf)]);
  const listing: TunnelListing = { devices, rules, routes, ports: [] };
  const without = observedTunnels(names, listing);
  // Asking for ports loads the module of IP in UDP: not on a router that has no such tunnel, nor what is left of one.
  const isUsed = devices.some(({ name, encapsulation }) => encapsulation !== "none" && names.idOfDevice(name));
  const isLost = [...without.parts.values()].some((parts) => !parts.device && throwsOf(parts).length > 0);
  return isUsed || isLost ? observedTunnels(names, { ...listing, ports: await fouPorts() }) : without;
}

async function byFamily<Found>(read: (family: IpFamily, protocol: number) => Promise<Found>): Promise<ByFamily<Found>> {
  const [four, six] = await Promise.all([read(4, PROTOCOL_NUMBER), read(6, PROTOCOL_NUMBER)]);
  return { 4: four, 6: six };
}

const throwsOf = ({ throws }: TunnelParts): readonly string[] => [...throws[4], ...throws[6]];

/** Pure. */
export function observedTunnels(names: TunnelNames, listing: TunnelListing): ObservedTunnels {
  const parts = routingParts(names, listing);
  const whole = new Map<TunnelId, Tunnel>();
  for (const device of listing.devices) {
    const id = names.idOfDevice(device.name);
    if (id === undefined) continue;
    const ports = listing.ports.filter((port) => receivesFor(device, port));
    const found: TunnelParts = { ...(parts.get(id) ?? NO_PARTS), device: true, ports };
    parts.set(id, found);
    const tunnel = tunnelOf(names, device);
    if (tunnel !== undefined && isWhole(tunnel, device.name, found, listing)) whole.set(id, tunnel);
  }
  const isTaken = (port: FouPort): boolean => listing.devices.some((device) => receivesFor(device, port));
  for (const [id, found] of parts) {
    if (found.device) continue;
    const far = throwsOf(found);
    const ports = listing.ports.filter((port) => far.includes(port.peer) && !isTaken(port));
    parts.set(id, { ...found, ports });
  }
  return { whole, parts };
}

function routingParts(names: TunnelNames, { rules, routes }: TunnelListing): Map<TunnelId, TunnelParts> {
  const parts = new Map<TunnelId, TunnelParts>();
  const partsOf = (id: TunnelId): TunnelParts => parts.get(id) ?? NO_PARTS;
  for (const family of FAMILIES) {
    for (const table of rules[family]) {
      const id = names.idOfRouteTable(table);
      if (id === undefined) continue;
      const known = partsOf(id);
      parts.set(id, { ...known, rules: { ...known.rules, [family]: known.rules[family] + 1 } });
    }
    for (const { table, destination, isThrow } of routes[family]) {
      const id = names.idOfRouteTable(table);
      if (id === undefined || !isThrow) continue;
      const known = partsOf(id);
      const throws = { ...known.throws, [family]: [...known.throws[family], destination] };
      parts.set(id, { ...known, throws });
    }
  }
  return parts;
}

/** Whether the device's packets come in by this port. */
const receivesFor = (device: TunnelDevice, port: FouPort): boolean =>
  device.encapsulation !== "none" &&
  port.port === device.destinationPort &&
  port.peerPort === device.sourcePort &&
  port.local === device.local &&
  port.peer === device.remote;

function isWhole(tunnel: Tunnel, device: string, found: TunnelParts, { routes }: TunnelListing): boolean {
  const isRouted = (family: IpFamily): boolean =>
    routes[family].some((route) => route.device === device && route.destination === "default");
  if (!FAMILIES.every((family) => found.rules[family] === 1 && isRouted(family))) return false;
  const excepted = throwsOf(found);
  if (excepted.length !== 1 || excepted[0] !== tunnel.remote) return false;
  const port = fouPortOf(tunnel);
  return port === undefined || found.ports.some((one) => sameFouPort(one, port));
}
