import { describe, expect, it } from "vitest";
import type { TunnelDevice } from "../../../src/kernel/link/device.js";
import { type FouPort, fouPortOf } from "../../../src/kernel/link/fou-port.js";
import { TunnelNames } from "../../../src/kernel/link/names.js";
import { deviceOf } from "../../../src/kernel/link/observed.js";
import { observedTunnels, type TunnelListing } from "../../../src/kernel/link/reading.js";
import type { IpFamily } from "../../../src/model/ip.js";
import { TUNNEL_KINDS, type TunnelKind } from "../../../src/model/tunnel.js";
import { listed, tunnel } from "./samples.js";

const names = new TunnelNames("sluice");
const device = names.device(7);
const table = names.routeTable(7);

/** Everything of one tunnel. */
function listing(kind: TunnelKind, outer: IpFamily = 4): TunnelListing {
  const into = { table, destination: "default", device, isThrow: false };
  const out = { table, destination: tunnel(kind, outer).remote, device: "", isThrow: true };
  const found = deviceOf(listed(device, kind, outer));
  const port = fouPortOf(tunnel(kind, outer));
  return {
    devices: found === undefined ? [] : [found],
    rules: { 4: [table], 6: [table] },
    routes: { 4: outer === 4 ? [into, out] : [into], 6: outer === 6 ? [into, out] : [into] },
    ports: port === undefined ? [] : [port],
  };
}
const port: FouPort = listing("gue").ports[0]!;
const stranger: FouPort = { ...port, port: 9000 };
const partsIn = (changes: Partial<TunnelListing>) =>
  observedTunnels(names, { ...listing("gue"), ...changes }).parts.get(7);

describe("what there is of tunnels", () => {
  it.each(TUNNEL_KINDS.flatMap((kind) => ([4, 6] as const).map((outer) => [kind, outer] as const)))(
    "is whole: %s over IPv%i",
    (kind, outer) => {
      expect(observedTunnels(names, listing(kind, outer)).whole).toEqual(new Map([[7, tunnel(kind, outer)]]));
    },
  );

  it.each<[string, Partial<TunnelListing>]>([
    ["its device", { devices: [] }],
    ["its port", { ports: [] }],
    ["its own port: another's", { ports: [stranger] }],
    ["its rule of one family", { rules: { 4: [table], 6: [] } }],
    ["one rule: there are two", { rules: { 4: [table, table], 6: [table] } }],
    [
      "its way out of its own table",
      { routes: { 4: listing("gue").routes[4].slice(0, 1), 6: listing("gue").routes[6] } },
    ],
    ["a way into it", { routes: { 4: listing("gue").routes[4].slice(1), 6: listing("gue").routes[6] } }],
  ])("is not whole without %s", (_what, changes) => {
    const found = observedTunnels(names, { ...listing("gue"), ...changes });
    expect([...found.whole.keys()]).toEqual([]);
    expect([...found.parts.keys()]).toEqual([7]);
  });

  it("has the port of its device, and no other", () => {
    expect(partsIn({ ports: [stranger, port] })?.ports).toEqual([port]);
  });

  it("has the port to its far end when the device is gone, if no other device uses that", () => {
    expect(partsIn({ devices: [] })?.ports).toEqual([port]);
    expect(partsIn({ devices: [], ports: [{ ...port, peer: "10.2.0.9" }] })?.ports).toEqual([]);
    const foreign: TunnelDevice = { ...listing("gue").devices[0]!, name: "fou1", alias: "" };
    expect(partsIn({ devices: [foreign] })?.ports).toEqual([]);
  });

  it("is nothing of others' devices, rules, routes and ports", () => {
    const others = new TunnelNames("other");
    expect(observedTunnels(others, listing("fou"))).toEqual({ whole: new Map(), parts: new Map() });
  });
});
