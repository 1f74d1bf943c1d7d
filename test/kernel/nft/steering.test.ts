import { describe, expect, it } from "vitest";
import type { EchoedElement } from "../../../src/kernel/netlink/nf-tables.js";
import {
  assembleFlows,
  counterKeys,
  countersOf,
  createFlow,
  deleteFlow,
  elementKeys,
} from "../../../src/kernel/nft/flow-elements.js";
import { ensurePorts } from "../../../src/kernel/nft/port-use.js";
import { renderUpdate } from "../../../src/kernel/nft/ruleset.js";
import { steeringChainNames, steeringChains } from "../../../src/kernel/nft/steering.js";
import type { FlowRule, Tunnel } from "../../../src/kernel/port.js";
import { structureId } from "../../../src/kernel/structure-id.js";
import { octets } from "../../../src/model/units.js";
import { ZERO_FLOW_COUNTERS } from "../../../src/model/usage.js";
import { desired, flow, flow6 } from "../fixtures.js";

const options = { table: "sluice", maxFlows: 1024 };
const tunnel = (id: number, changes: Partial<Tunnel> = {}): Tunnel => ({
  id,
  name: "core",
  kind: "vxlan",
  local: "203.0.113.1",
  remote: "203.0.113.2",
  sourcePort: 50_000 + id,
  destinationPort: 4789,
  mtu: octets(1450),
  ...changes,
});
const wanted = (...tunnels: readonly Tunnel[]) =>
  desired([], { tunnels: new Map(tunnels.map((one) => [one.id, one])) });

const blockIn = (text: string, name: string): readonly string[] => {
  const match = new RegExp(`^\\t(?:chain|map|set) ${name} \\{\\n((?:\\t\\t.*\\n)+)\\t\\}$`, "m").exec(text);
  return (match?.[1] ?? "")
    .trimEnd()
    .split("\n")
    .map((line) => line.trim());
};

describe("rules of steering", () => {
  const text = renderUpdate(options, wanted(tunnel(255), tunnel(2)), "");
  const block = (name: string): readonly string[] => blockIn(text, name);

  it("are none without tunnels, and change nothing else when there are some", () => {
    expect([steeringChainNames([]), steeringChains([])]).toEqual([[], []]);
    const without = renderUpdate(options, wanted(), "");
    expect(without).not.toMatch(/prerouting|chain (?:inet sluice )?(?:steer|tunnel_)|meta mark/);
    for (const name of ["forward", "sessions4", "sessions6", "any4", "action", "output"]) {
      expect(block(name)).toEqual(blockIn(without, name));
    }
  });

  it("look a packet up behind a port of a steered session alone, where it looks as it will in forward", () => {
    expect(block("prerouting")).toEqual([
      "type filter hook prerouting priority dstnat + 5; policy accept;",
      "th dport and 65520 @ports_steer goto steering4",
    ]);
    expect(text).toContain(
      "add chain inet sluice prerouting { type filter hook prerouting priority dstnat + 5; policy accept; }",
    );
    expect(block("steering4")).toEqual([
      "meta nfproto ipv6 goto steering6",
      "meta priority set meta l4proto . ip saddr . th sport . ip daddr . th dport map @steer4 goto steer",
      "meta priority set meta l4proto . ip saddr . ip daddr . th dport map @steer4any goto steer",
    ]);
    expect(block("steering6")).toHaveLength(2);
  });

  it("choose the tunnel by its number, and touch the bits of the mark that are a tunnel's alone", () => {
    expect(block("steer")).toEqual([
      "meta priority vmap { 0:2 : goto tunnel_2, 0:ff : goto tunnel_255 }",
      "meta priority set 0:0",
    ]);
    expect(block("tunnel_255")).toEqual([
      "meta priority set 0:0",
      "meta mark set meta mark and 0xff00ffff or 0x00ff0000 accept",
    ]);
  });

  it("keep their maps when the last tunnel goes, and lose their chains", () => {
    const listing = `table inet sluice {\n${[...text.matchAll(/^\t(?:chain|map|set) \S+ \{$/gm)].join("\n\t}\n")}\n\t}\n}\n`;
    const gone = (...tunnels: readonly Tunnel[]) =>
      renderUpdate(options, wanted(...tunnels), listing).match(/(?<=^delete )\S+ inet sluice \S+$/gm);
    expect(gone(tunnel(2), tunnel(255))).toBeNull();
    expect(gone(tunnel(2))).toEqual(["chain inet sluice tunnel_255"]);
    expect(
      gone()
        ?.map((line) => line.split(" ").at(-1))
        .sort(),
    ).toEqual(["prerouting", "steer", "steering4", "steering6", "tunnel_2", "tunnel_255"]);
    expect(blockIn(renderUpdate(options, wanted(), listing), "steer6")).toEqual([
      "type inet_proto . ipv6_addr . inet_service . ipv6_addr . inet_service : classid",
      "size 1024",
    ]);
  });

  it("are other rules for other tunnels, not for tunnels that are otherwise", () => {
    const ids = [wanted(), wanted(tunnel(1)), wanted(tunnel(2)), wanted(tunnel(1), tunnel(2))].map(structureId);
    expect(new Set(ids).size).toBe(4);
    expect(structureId(wanted(tunnel(2), tunnel(1)))).toBe(ids[3]);
    expect(structureId(wanted(tunnel(1, { name: "other", remote: "203.0.113.9" })))).toBe(ids[1]);
  });
});

describe("a flow in a tunnel", () => {
  const any = ({ key, ...rule }: FlowRule): FlowRule => ({
    ...rule,
    key: { ...key, source: { ...key.source, port: undefined } },
  });
  const kinds: readonly (readonly [string, FlowRule])[] = [
    ["steer4", flow(1, { tunnel: 1 })],
    ["steer6", flow6(2, { tunnel: 255 })],
    ["steer4any", any(flow(3, { tunnel: 7 }))],
    ["steer6any", any(flow6(4, { tunnel: 7, packetSize: octets(200) }))],
  ];
  const partsOf = (rule: FlowRule): readonly EchoedElement[] =>
    createFlow(rule).map(({ set, element }) => ({ set, element }));

  it.each(kinds)("has one element more, in %s, and reads back as it was", (name, rule) => {
    const parts = partsOf(rule);
    const steer = parts.at(-1)!;
    expect(steer).toEqual({
      set: name,
      element: {
        key: parts[0]!.element.key,
        data: expect.any(Buffer),
        comment: parts[0]!.element.comment,
      },
    });
    expect(elementKeys(rule).map(({ set }) => set)).toEqual(parts.map(({ set }) => set));
    expect(deleteFlow(rule).map(({ set }) => set)).toEqual(parts.map(({ set }) => set));
    expect(counterKeys(rule).map(({ set }) => set)).toEqual(parts.slice(0, -1).map(({ set }) => set));
    expect(assembleFlows(parts)).toMatchObject({ strays: [] });
    expect(assembleFlows([...parts].reverse()).flows.get(rule.id)?.rule).toEqual(rule);
    expect(countersOf(parts).get(rule.id)).toEqual(ZERO_FLOW_COUNTERS);
    expect(ensurePorts([rule]).filter(({ set }) => set === "ports_steer")).toHaveLength(1);
  });

  it("is a flow of the plain route without that element, so that it is seen to differ", () => {
    const [inside, outside] = partsOf(flow(1, { tunnel: 1 })) as [EchoedElement, EchoedElement];
    const { flows, strays } = assembleFlows([inside, outside]);
    expect(strays).toEqual([]);
    expect(flows.get(1)?.rule).toEqual(flow(1));
    expect(ensurePorts([flow(1)]).some(({ set }) => set === "ports_steer")).toBe(false);
  });

  it("is stray whole where that element is another's, names no tunnel, or is alone", () => {
    const [inside, outside, steer] = partsOf(flow(1, { tunnel: 1 })) as [EchoedElement, EchoedElement, EchoedElement];
    const with_ = (changes: Partial<EchoedElement["element"]>): readonly EchoedElement[] => [
      inside,
      outside,
      { ...steer, element: { ...steer.element, ...changes } },
    ];
    const wrong = [
      with_({ comment: "mine" }),
      with_({ data: Buffer.alloc(4) }),
      with_({ data: Buffer.from([0, 1, 0, 0]) }),
      with_({ data: Buffer.alloc(2) }),
      [steer],
    ];
    for (const elements of wrong) {
      const { flows, strays } = assembleFlows(elements);
      expect([flows.size, strays.length]).toEqual([0, elements.length]);
    }
  });
});
