import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseSave } from "../../../src/kernel/preflight/sources/iptables.js";
import { parseRuleset } from "../../../src/kernel/preflight/sources/nft.js";
import { jumpsOf, touchesOf } from "../../../src/kernel/preflight/sources/nft-statements.js";
import { type Chain, momentsOf, type Rule } from "../../../src/kernel/preflight/sources/rules.js";
import { ruleset } from "./recorded.js";

const MARK = { meta: { key: "mark" } };
const set = (value: unknown) => ({ mangle: { key: MARK, value } });
const match = (left: unknown, right: unknown) => ({ match: { op: "==", left, right } });
const write = (bits: number) => [{ kind: "mark", access: "write", bits }];
const read = (bits: number) => [{ kind: "mark", access: "read", bits }];

describe("statements of nft", () => {
  // Recorded from nft 1.0.6.
  it.each([
    ["meta mark set 0x100", set(256), write(0xffffffff)],
    ["meta mark set meta mark | 0x80000000", set({ "|": [MARK, 2147483648] }), write(0x80000000)],
    ["meta mark set meta mark & 0xffff01ff | 0x100", set({ "|": [{ "&": [MARK, 4294902271] }, 256] }), write(0xff00)],
    ["meta mark set meta mark ^ 0xf0", set({ "^": [MARK, 240] }), write(0xf0)],
    ["meta mark set ct mark & 0xff", set({ "&": [{ ct: { key: "mark" } }, 255] }), write(0xffffffff)],
    ["meta mark set numgen inc mod 4", set({ numgen: { mode: "inc", mod: 4, offset: 0 } }), write(0xffffffff)],
    ["ct mark set meta mark", { mangle: { key: { ct: { key: "mark" } }, value: MARK } }, []],
    ["meta mark & 0xff0000 == 0x10000", match({ "&": [MARK, 16711680] }, 65536), read(0xff0000)],
    ["meta mark 0x80000000/1", match(MARK, { prefix: { addr: 2147483648, len: 1 } }), read(0x80000000)],
    ["meta mark 0x10-0x20", match(MARK, { range: [16, 32] }), read(0xffffffff)],
    ["meta mark vmap", { vmap: { key: MARK, data: { set: [[1, { drop: null }]] } } }, read(0xffffffff)],
    ["socket mark 0x1", match({ socket: { key: "mark" } }, 1), []],
    ["ct mark & 0xff == 3", match({ "&": [{ ct: { key: "mark" } }, 255] }, 3), []],
    [
      "ip6 dscp set cs1",
      { mangle: { key: { payload: { protocol: "ip6", field: "dscp" } }, value: "cs1" } },
      [{ kind: "dscp" }],
    ],
    ["ip dscp ef", match({ payload: { protocol: "ip", field: "dscp" } }, "ef"), []],
    [
      "meta priority set 1:10",
      { mangle: { key: { meta: { key: "priority" } }, value: "1:10" } },
      [{ kind: "priority" }],
    ],
    ["masquerade", { masquerade: null }, [{ kind: "sourceNat" }]],
    ["snat to 192.0.2.1", { snat: { addr: "192.0.2.1" } }, [{ kind: "sourceNat" }]],
    ["-j NETMAP", { xt: { type: "target", name: "NETMAP" } }, [{ kind: "sourceNat" }]],
    ["flow add @f", { flow: { op: "add", flowtable: "@f" } }, [{ kind: "offload" }]],
    ["-j CLASSIFY", { xt: { type: "target", name: "CLASSIFY" } }, [{ kind: "priority" }]],
    ["-j TOS", { xt: { type: "target", name: "TOS" } }, [{ kind: "dscp" }]],
    ["-m nosuch", { xt: { type: "match", name: "MARK" } }, []],
    ["a counter", { counter: { packets: 0, bytes: 0 } }, []],
    ["nonsense", "mark", []],
  ])("%s", (_, statement, touches) => {
    expect(touchesOf([statement])).toEqual(touches);
  });

  it("follows jumps wherever they are", () => {
    const vmap = { vmap: { key: MARK, data: { set: [[1, { goto: { target: "b" } }]] } } };
    expect(jumpsOf([{ jump: { target: "a" } }, vmap, { goto: {} }])).toEqual(["a", "b"]);
  });

  it("says of no bit that it stays when it can change", () => {
    type Operator = "|" | "&" | "^";
    const word = fc.integer({ min: 0, max: 0xffffffff });
    const operation = fc.tuple(fc.constantFrom<Operator>("|", "&", "^"), word);
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 6 }), word, (operations, mark) => {
        const apply = (value: number, [operator, other]: readonly [Operator, number]): number => {
          if (operator === "|") return (value | other) >>> 0;
          return (operator === "&" ? value & other : value ^ other) >>> 0;
        };
        const expression = operations.reduce<unknown>(
          (inner, [operator, other]) => ({ [operator]: [inner, other] }),
          MARK,
        );
        const [touch] = touchesOf([set(expression)]);
        const bits = touch?.kind === "mark" ? touch.bits : 0;
        expect(((operations.reduce(apply, mark) ^ mark) & ~bits) >>> 0).toBe(0);
      }),
    );
  });

  it("takes any JSON without a defect", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
        touchesOf([value]);
        jumpsOf([value]);
        parseRuleset(JSON.stringify(value));
      }),
    );
  });
});

describe("the ruleset", () => {
  it("is read with its base chains, rules, and what removes them", () => {
    const text = ruleset(
      { table: { family: "inet", name: "fw", handle: 2 } },
      {
        chain: {
          family: "inet",
          table: "fw",
          name: "pre",
          handle: 1,
          type: "filter",
          hook: "prerouting",
          prio: -140,
          policy: "drop",
        },
      },
      { chain: { family: "inet", table: "fw", name: "x", handle: 3 } },
      { map: { family: "inet", name: "m", table: "fw", type: "ipv4_addr", handle: 2, map: "mark" } },
      { rule: { family: "inet", table: "fw", chain: "pre", handle: 9, expr: [{ jump: { target: "x" } }] } },
      {
        flowtable: {
          family: "inet",
          name: "f",
          table: "fw",
          handle: 4,
          hook: "ingress",
          prio: 0,
          dev: ["wan0", "lan0"],
        },
      },
      { flowtable: { family: "ip", name: "g", table: "fw", handle: 4, hook: "ingress", prio: 0, dev: "wan0" } },
    );
    expect(parseRuleset(text)).toEqual({
      tables: [{ family: "inet", name: "fw" }],
      chains: [
        {
          key: "inet fw pre",
          table: "inet fw",
          name: "pre",
          base: { hook: "prerouting", priority: -140, policy: "drop", type: "filter" },
        },
        { key: "inet fw x", table: "inet fw", name: "x" },
      ],
      rules: [
        { chain: "inet fw pre", touches: [], targets: ["inet fw x"], removal: "nft delete rule inet fw pre handle 9" },
      ],
      flowtables: [
        { family: "inet", table: "fw", name: "f", devices: ["wan0", "lan0"] },
        { family: "ip", table: "fw", name: "g", devices: ["wan0"] },
      ],
    });
  });

  it.each(["", "{", "[]", '{"nftables":[{"rule":{"family":"ip"}}]}', "netlink: Error"])(
    "is not guessed from %j",
    (text) => {
      expect(parseRuleset(text)).toBeUndefined();
    },
  );
});

describe("moments", () => {
  const chain = (key: string, hook?: "forward" | "prerouting", priority = 0): Chain => {
    const [table = "", name = ""] = key.split("/");
    const base = hook === undefined ? {} : { base: { hook, priority, policy: "accept", type: "filter" } };
    return { key, table, name, ...base };
  };
  const jump = (from: string, to: string): Rule => ({ chain: from, touches: [], targets: [to], removal: "" });

  it("go along jumps, in circles too, and to all hooks of the table where no jump is seen", () => {
    const chains = [
      chain("t/pre", "prerouting", -150),
      chain("t/fwd", "forward"),
      chain("t/a"),
      chain("t/b"),
      chain("t/hidden"),
      chain("u/alone"),
    ];
    const moments = momentsOf(chains, [jump("t/fwd", "t/a"), jump("t/a", "t/b"), jump("t/b", "t/a")]);
    const hooks = (key: string) => moments.get(key)?.map(({ hook, priority }) => `${hook} ${priority}`);
    expect(hooks("t/b")).toEqual(["forward 0"]);
    expect(hooks("t/hidden")).toEqual(["prerouting -150", "forward 0"]);
    expect(hooks("u/alone")).toEqual([]);
  });
});

describe("rules of iptables", () => {
  // Recorded from iptables-save 1.8.9.
  const SAVED = `# Warning: iptables-legacy tables present, use iptables-legacy-save to see them
# Generated by iptables-save v1.8.9 (nf_tables) on Sat Nov 21 04:25:51 2026
*mangle
:PREROUTING ACCEPT [0:0]
:FORWARD DROP [0:0]
:KUBE-X - [0:0]
-A FORWARD -j MARK --set-xmark 0x1/0x3
-A FORWARD -m mark --mark 0x80000000/0x80000000 -j DSCP --set-dscp 0x2e
-A FORWARD -j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff
-A FORWARD -j CONNMARK --save-mark --nfmask 0xff --ctmask 0xff
-A FORWARD -m connmark --mark 0x5 -j ACCEPT
-A FORWARD -m comment --comment "-j DSCP, \\"--mark\\"" -g KUBE-X
-A KUBE-X -j CLASSIFY --set-class 0001:0010
-A KUBE-X -j SET --map-set s src,dst,dst --map-mark --map-prio
COMMIT
# Table \`filter' is incompatible, use 'nft' tool.
*nat
:POSTROUTING ACCEPT [0:0]
COMMIT
`;
  const parsed = parseSave(SAVED, "ip", "iptables-nft");

  it("are read with what they touch and what removes them", () => {
    expect(parsed?.tables).toEqual(["ip mangle", "ip nat"]);
    expect(parsed?.rules.map(({ touches }) => touches)).toEqual([
      write(3),
      [...read(0x80000000), { kind: "dscp" }],
      write(0xff),
      [],
      [],
      [],
      [{ kind: "priority" }],
      [...write(0xffffffff), { kind: "priority" }],
    ]);
    expect(parsed?.rules[5]).toMatchObject({
      targets: ["ip mangle KUBE-X"],
      removal: 'iptables-nft -t mangle -D FORWARD -m comment --comment "-j DSCP, \\"--mark\\"" -g KUBE-X',
    });
  });

  it("are placed on their hooks", () => {
    expect(parsed?.chains.map(({ key, base }) => [key, base?.hook, base?.priority, base?.policy])).toEqual([
      ["ip mangle PREROUTING", "prerouting", -150, "accept"],
      ["ip mangle FORWARD", "forward", -150, "drop"],
      ["ip mangle KUBE-X", undefined, undefined, undefined],
      ["ip nat POSTROUTING", "postrouting", 100, "accept"],
    ]);
  });

  it.each(["-A FORWARD -j DROP", "iptables: what?", "*mangle\nwhat?"])("are not guessed from %j", (text) => {
    expect(parseSave(text, "ip", "iptables")).toBeUndefined();
  });
});
