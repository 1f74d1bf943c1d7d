import { describe, expect, it } from "vitest";
import { neighbourRules, renderArpTable } from "../../../src/kernel/nft/neighbours.js";
import { listingComment, parseState, renderReplacement, renderUpdate } from "../../../src/kernel/nft/ruleset.js";
import { signallingRules } from "../../../src/kernel/nft/signalling.js";
import { structureId } from "../../../src/kernel/structure-id.js";
import { kilobitsPerSecond, octets } from "../../../src/model/units.js";
import { desired, link } from "../fixtures.js";

const options = { table: "sluice", maxFlows: 1024 };
const state = desired([], { interfaces: [{ ...link("wan0"), overhead: octets(18) }] });
const text = renderUpdate(options, state, "");

/** The text of one chain or map, without indentation. */
function block(name: string): readonly string[] {
  const match = new RegExp(`^\\t(?:chain|map|set) ${name} \\{\\n((?:\\t\\t.*\\n)+)\\t\\}$`, "m").exec(text);
  return (match?.[1] ?? "")
    .trimEnd()
    .split("\n")
    .map((line) => line.trim());
}

describe("ruleset", () => {
  it("declares maps whose elements police and count, or count", () => {
    const key = "inet_proto . ipv4_addr . inet_service . ipv4_addr . inet_service : classid";
    expect(block("in4")).toEqual([`type ${key}`, "size 1024", "limit rate 1 mbytes/second burst 1500 bytes counter"]);
    expect(block("tight4")).toEqual([`type ${key}`, "size 1024", "limit rate 50/second burst 5 packets counter"]);
    expect(block("out6any")).toEqual([
      "type inet_proto . ipv6_addr . ipv6_addr . inet_service : classid",
      "size 1024",
      "counter",
    ]);
    expect(block("ports")).toEqual(["type inet_service"]);
  });

  it("looks a packet up once per map, exact keys first, and only behind a port of a session", () => {
    const exact = "meta l4proto . ip6 saddr . th sport . ip6 daddr . th dport";
    const any = "meta l4proto . ip6 saddr . ip6 daddr . th dport";
    expect(block("sessions6")).toEqual([
      `th dport and 65520 @ports_tight meta priority set ${exact} map @tight6 goto sized`,
      `meta priority set ${exact} map @in6 goto action`,
      `meta priority set ${exact} map @out6 goto action`,
      "th dport and 65520 @ports_any goto any6",
      "goto others",
    ]);
    expect(block("any6")).toEqual([
      `meta priority set ${any} map @tight6any goto sized`,
      `meta priority set ${any} map @in6any goto action`,
      `meta priority set ${any} map @out6any goto action`,
      "goto others",
    ]);
    expect(block("sessions4")[0]).toBe("meta nfproto ipv6 goto sessions6");
  });

  it("acts on the word: a chain per code point, all kinds, and drop", () => {
    const [action = ""] = block("action");
    expect(action.startsWith("meta priority and 0xff800000 vmap { 8000:0 : goto dscp_0, 8100:0 : goto dscp_1, ")).toBe(
      true,
    );
    expect(action.endsWith("ff00:0 : goto dscp_63, 4000:0 : drop }")).toBe(true);
    expect(action.match(/goto/g)).toHaveLength(128);
    expect(block("dscp_46")).toEqual([
      "meta priority set meta priority and 0x0000ffff or 0x00010000",
      "ip dscp set 46 accept",
      "ip6 dscp set 46 accept",
    ]);
  });

  it("lets no packet of a tight flow be larger than the flow's", () => {
    expect(block("sized")[0]).toContain("{ 1:0 : jump size_1, 2:0 : jump size_2, ");
    expect(block("sized").slice(1)).toEqual(["meta priority and 0x00800000 == 80:0 goto oversize", "goto coded"]);
    expect(block("size_43")).toEqual(["meta length <= 200 meta priority set meta priority and 0xff7fffff return"]);
    expect(block("coded")[0]).toContain("meta priority and 0x3f000000 vmap { 0:0 : goto dscp_0, 100:0 : goto dscp_1, ");
    expect(block("oversize")).toHaveLength(5);
    expect(block("oversize")[0]).toMatch(/ map @over4 goto excess$/);
    expect(block("excess")[0]).not.toContain("sized");
  });

  it("has few ways through its chains: Linux 6.1 walks every one of them whenever a chain is changed", () => {
    const ways = (name: string): number =>
      1 +
      block(name)
        .flatMap((line) => [...line.matchAll(/(?:goto|jump) (\w+)/g)])
        .reduce((sum, [, target = ""]) => sum + ways(target), 0);
    expect(["forward", "output"].reduce((sum, hook) => sum + ways(hook), 0)).toBeLessThan(20_000);
  });

  it("does it all in forward, and is done with other packets after three ports", () => {
    const ports = ["th dport { 3288, 5060 } goto to_server", "th sport { 3288, 5060 } goto from_server"];
    expect(block("forward")).toEqual([
      "type filter hook forward priority mangle; policy accept;",
      "th dport and 65520 @ports goto sessions4",
      ...ports,
    ]);
    expect(block("others")).toEqual(ports);
    expect(block("to_server")).toEqual([
      "meta l4proto . ip daddr . th dport { tcp . 192.0.2.2 . 3288, udp . 192.0.2.1 . 5060 } goto signalling",
      "meta l4proto . ip6 daddr . th dport { udp . 2001:db8::1 . 5060 } goto signalling",
      "th sport { 3288, 5060 } goto from_server",
    ]);
    expect(block("from_server")).toEqual([
      "meta l4proto . ip saddr . th sport { tcp . 192.0.2.2 . 3288, udp . 192.0.2.1 . 5060 } goto signalling",
      "meta l4proto . ip6 saddr . th sport { udp . 2001:db8::1 . 5060 } goto signalling",
    ]);
    expect(block("output")).toEqual([
      "type filter hook output priority mangle; policy accept;",
      "icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } goto neighbours",
      ...ports,
    ]);
    expect(block("signalling")).toEqual(["meta priority set 1:2", "ip dscp set 24 accept", "ip6 dscp set 24 accept"]);
  });

  it("touches no packet mark", () => {
    expect(text).not.toContain("meta mark");
  });

  it("lets the router's own neighbour discovery into the signalling class of managed interfaces, up to a quarter of it", () => {
    const rule = 'oifname "wan0" limit rate 93/second burst 93 packets meta priority set 1:2';
    expect(block("neighbours")).toEqual([rule]);
    expect(neighbourRules([link("a"), { ...link("b"), signallingRate: kilobitsPerSecond(0) }])).toEqual([
      'oifname "a" limit rate 93/second burst 93 packets meta priority set 1:2',
      'oifname "b" limit rate 10/second burst 10 packets meta priority set 1:2',
    ]);
    expect(neighbourRules([])).toEqual([]);
  });

  it("does the same for ARP, in a table made anew", () => {
    expect(renderArpTable("sluice", "sluice layout 2", [link("wan0")])).toBe(
      [
        "add table arp sluice",
        "delete table arp sluice",
        "table arp sluice {",
        '\tcomment "sluice layout 2"',
        "\tchain output {",
        "\t\ttype filter hook output priority filter; policy accept;",
        '\t\toifname "wan0" limit rate 93/second burst 93 packets meta priority set 1:2',
        "\t}",
        "}",
        "",
      ].join("\n"),
    );
  });

  it("has no signalling rule where there is no server", () => {
    expect(signallingRules([])).toEqual([]);
    expect(signallingRules([{ protocol: "udp", port: 5060, servers: [] }])).toEqual([]);
  });

  it("flushes chains and its state, never maps, tables or rulesets", () => {
    const flushed = [...text.matchAll(/^flush (\S+) (?:inet sluice )?(\S+)/gm)].map(
      (match) => `${match[1]} ${match[2]}`,
    );
    expect(flushed.filter((entry) => !entry.startsWith("chain "))).toEqual(["set state"]);
    expect(text).not.toMatch(/^delete/m);
    expect(text).not.toContain("flush ruleset");
  });

  it("takes out what somebody put into the table", () => {
    const listing =
      "table inet sluice {\n\tmap in4 {\n\t}\n\tset banned {\n\t}\n\tchain forward {\n\t}\n\tchain mine {\n\t}\n}\n";
    const update = renderUpdate(options, state, listing);
    expect(update.match(/^delete .*$/gm)).toEqual(["delete chain inet sluice mine", "delete set inet sluice banned"]);
  });

  it("is made anew in one transaction when it has to be", () => {
    expect(renderReplacement(options, state)).toBe(`add table inet sluice\ndelete table inet sluice\n${text}`);
  });

  it("notes what it was made for", () => {
    const comments = [...text.matchAll(/0x[0-9a-f]{8} comment "([^"]*)"/g)].map((match) => match[1] ?? "");
    expect(parseState([...comments, listingComment("abc")])).toEqual({
      structureId: structureId(state),
      carryMaps: [],
      listing: "abc",
      interfaces: state.interfaces,
    });
    expect(parseState(["interface:broken", "x"])).toEqual({
      structureId: undefined,
      carryMaps: [],
      listing: undefined,
      interfaces: [],
    });
  });
});
