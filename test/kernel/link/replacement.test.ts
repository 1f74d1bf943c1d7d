import { describe, expect, it } from "vitest";
import { fouPortOf } from "../../../src/kernel/link/fou-port.js";
import { TunnelNames } from "../../../src/kernel/link/names.js";
import type { ObservedTunnels } from "../../../src/kernel/link/reading.js";
import { setCommands } from "../../../src/kernel/link/replacement.js";
import { createCommands, deleteCommands, NO_PARTS, type TunnelParts } from "../../../src/kernel/link/tunnel.js";
import type { Tunnel } from "../../../src/kernel/port.js";
import { tunnel } from "./samples.js";

const names = new TunnelNames("sluice");
const port = fouPortOf(tunnel("gue"))!;
const PARTS: TunnelParts = { device: true, rules: { 4: 1, 6: 1 }, throws: { 4: ["10.2.0.2"], 6: [] }, ports: [] };
const NOTHING: ObservedTunnels = { whole: new Map(), parts: new Map() };

const there = (...tunnels: readonly Tunnel[]): ObservedTunnels => ({
  whole: new Map(tunnels.map((one) => [one.id, one])),
  parts: new Map(tunnels.map((one) => [one.id, { ...PARTS, ports: one.kind === "gue" ? [port] : [] }])),
});
const removal = (observed: ObservedTunnels, id: number) => deleteCommands(names, id, observed.parts.get(id)!);

describe("setting tunnels", () => {
  it("only makes those of which there is nothing", () => {
    const commands = setCommands(names, NOTHING, [], [tunnel("gue"), tunnel("gre", 6, { id: 8 })]);
    expect(commands).toEqual([
      createCommands(names, tunnel("gue")),
      createCommands(names, tunnel("gre", 6, { id: 8 })),
    ]);
  });

  it("takes away before what has their number, with its port", () => {
    const observed = there(tunnel("gue"));
    const commands = setCommands(names, observed, [port], [tunnel("vxlan")]);
    expect(commands).toEqual([removal(observed, 7), createCommands(names, tunnel("vxlan"))]);
    expect(commands[0]?.[4].join()).toContain("fou del port 6087");
  });

  it("takes away once what the kernel cannot have beside them", () => {
    const observed = there(tunnel("ipip"), tunnel("gre", 4, { id: 9 }));
    const wanted = tunnel("gue", 4, { id: 8 });
    expect(setCommands(names, observed, [], [wanted, tunnel("gre")])).toEqual([
      removal(observed, 7),
      createCommands(names, wanted),
      createCommands(names, tunnel("gre")),
    ]);
  });

  it("takes away a port between the same ends that nothing belongs to, and no other", () => {
    const others = [
      { ...port, port: 9000 },
      { ...port, peer: "10.2.0.9" },
    ];
    const orphan = deleteCommands(names, 7, { ...NO_PARTS, ports: [port] });
    const create = createCommands(names, tunnel("gue"));
    expect(setCommands(names, NOTHING, [port, ...others], [tunnel("gue")])).toEqual([orphan, create]);
    expect(setCommands(names, NOTHING, others, [tunnel("gue")])).toEqual([create]);
    expect(setCommands(names, NOTHING, [port], [tunnel("vxlan")])).toHaveLength(1);
  });
});
