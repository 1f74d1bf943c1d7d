import { describe, expect, it } from "vitest";
import { neighbourRules, renderArpTable } from "../../../src/kernel/nft/neighbours.js";
import {
  listingComment,
  parseState,
  renderReplacement,
  renderUpdate,
  signallingRules,
} from "../../../src/kernel/nft/ruleset.js";
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
    expect(block("in4")).toEqual([
      "type inet_proto . ipv4_addr . inet_service . ipv4_addr . inet_service : mark",
      "size 1024",
      "limit rate 1 mbytes/second burst 1500 bytes counter",
    ]);
    expect(block("out6any")).toEqual([
      "type inet_proto . ipv6_addr . ipv6_addr . inet_service : mark",
      "size 1024",
      "counter",
    ]);
  });

  it("looks a packet up once per map, exact keys first", () => {
    expect(block("prerouting")).toEqual([
      "type filter hook prerouting priority mangle; policy accept;",
      "meta l4proto != { tcp, udp } accept",
      "meta nfproto vmap { ipv4 : goto sessions4, ipv6 : goto sessions6 }",
    ]);
    expect(block("sessions6")).toEqual([
      "meta mark set meta l4proto . ip6 saddr . th sport . ip6 daddr . th dport map @in6 goto action",
      "meta mark set meta l4proto . ip6 saddr . th sport . ip6 daddr . th dport map @out6 goto action",
      "meta mark set meta l4proto . ip6 saddr . ip6 daddr . th dport map @in6any goto action",
      "meta mark set meta l4proto . ip6 saddr . ip6 daddr . th dport map @out6any goto action",
    ]);
  });

  it("acts on the mark: a chain per code point, both kinds, and drop", () => {
    const [action = ""] = block("action");
    expect(
      action.startsWith("meta mark and 0xff000000 vmap { 0x80000000 : goto dscp_0, 0xc0000000 : goto dscp_0, "),
    ).toBe(true);
    expect(action.endsWith("0xbf000000 : goto dscp_63, 0xff000000 : goto dscp_63, 0x40000000 : drop }")).toBe(true);
    expect(action.match(/goto/g)).toHaveLength(128);
    expect(block("dscp_46")).toEqual(["ip dscp set 46", "ip6 dscp set 46", "accept"]);
  });

  it("chooses the class in forward, by pool, and only for what is in profile", () => {
    expect(block("forward")).toEqual([
      "type filter hook forward priority mangle; policy accept;",
      "meta mark and 0xc0000000 == 0x80000000 meta priority set meta mark and 0x00007fff map @pools accept",
      "meta mark and 0x80000000 == 0x80000000 accept",
      "meta l4proto . ip daddr . th dport { tcp . 192.0.2.2 . 3288, udp . 192.0.2.1 . 5060 } goto signalling",
      "meta l4proto . ip saddr . th sport { tcp . 192.0.2.2 . 3288, udp . 192.0.2.1 . 5060 } goto signalling",
      "meta l4proto . ip6 daddr . th dport { udp . 2001:db8::1 . 5060 } goto signalling",
      "meta l4proto . ip6 saddr . th sport { udp . 2001:db8::1 . 5060 } goto signalling",
    ]);
    expect(block("output")).toEqual([
      "type filter hook output priority mangle; policy accept;",
      "icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } goto neighbours",
      ...block("forward").slice(3),
    ]);
    expect(block("signalling")).toEqual(["ip dscp set 24", "ip6 dscp set 24", "meta priority set 1:2", "accept"]);
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
    expect(renderArpTable("sluice", "sluice layout 1", [link("wan0")])).toBe(
      [
        "add table arp sluice",
        "delete table arp sluice",
        "table arp sluice {",
        '\tcomment "sluice layout 1"',
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
      listing: "abc",
      interfaces: state.interfaces,
    });
    expect(parseState(["interface:broken", "x"])).toEqual({
      structureId: undefined,
      listing: undefined,
      interfaces: [],
    });
  });
});
