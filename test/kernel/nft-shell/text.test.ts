import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ElementChange } from "../../../src/kernel/netlink/nf-tables.js";
import type { SetElement } from "../../../src/kernel/netlink/set-element.js";
import { createFlow, deleteFlow } from "../../../src/kernel/nft/flow-elements.js";
import { layoutsOf } from "../../../src/kernel/nft/layouts.js";
import { createPool } from "../../../src/kernel/nft/pool-elements.js";
import { SESSION_SETS } from "../../../src/kernel/nft/sets.js";
import { codecOf } from "../../../src/kernel/nft-shell/fields.js";
import { parseElements, parseListing } from "../../../src/kernel/nft-shell/listing.js";
import { renderChange, renderTransaction } from "../../../src/kernel/nft-shell/render.js";
import { parseLayouts, type SetLayout } from "../../../src/kernel/nft-shell/set-layout.js";
import { octets } from "../../../src/model/units.js";
import { flow, flow6, pool } from "../fixtures.js";

const LAYOUTS = layoutsOf({ table: "t", maxFlows: 16 });
const KEY_TYPES = "inet_proto . ipv4_addr . inet_service . ipv6_addr . inet_service";
const SAMPLE = parseLayouts(`table inet t {\n\tmap m {\n\t\ttype ${KEY_TYPES} : mark\n\t}\n}\n`);
const layout = (name: string, from = LAYOUTS): SetLayout => {
  const found = from.get(name);
  if (found === undefined) throw new Error(`no layout ${name}`);
  return found;
};

const inside = (command: string): string => /^create element inet \S+ \S+ \{(.*)\}$/.exec(command)?.[1] ?? "";

describe("layouts", () => {
  it("finds every set that the table declares", () => {
    for (const { name } of SESSION_SETS) expect(layout(name).data).toBeDefined();
    expect(layout("pools").key).toEqual([codecOf("mark")]);
    expect(layout("state").data).toBeUndefined();
  });

  it("leaves out sets with types that it does not know", () => {
    const text = "set a { type ifname; }\nset b {\n\ttype ether_addr\n}\nset c {\n\ttype inet_service\n}\n";
    expect([...parseLayouts(text).keys()]).toEqual(["c"]);
  });
});

describe("elements as text", () => {
  it("says a flow as an operator would", () => {
    const text = renderTransaction("t", LAYOUTS, [...createFlow(flow6(7)), ...deleteFlow(flow(7))]);
    const lines = text.trimEnd().split("\n");
    expect(lines[0]).toMatch(
      /^delete element inet t \S+ \{ udp \. 192\.0\.2\.10 \. 10007 \. 198\.51\.100\.20 \. 20007 \}$/,
    );
    expect(lines.at(-1)).toMatch(
      /^create element inet t \S+ \{ udp \. 2001:db8:1::10 \. 10007 \. 2001:db8:2::20 \. 20007 /,
    );
    expect(text).toContain("limit rate 10000 bytes/second burst 1500 bytes");
    expect(text).toContain('comment "sluice:0123456789abcdef:7"');
  });

  it("reads back whatever it wrote", () => {
    const bytes = (length: number) =>
      fc.uint8Array({ minLength: length, maxLength: length }).map((all) => Buffer.from(all));
    const figure = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
    const padded = fc
      .tuple(bytes(1), bytes(4), bytes(2), bytes(16), bytes(2))
      .map(([protocol, four, from, six, to]) => {
        const key = Buffer.alloc(32);
        key.set(protocol, 0);
        key.set(four, 4);
        key.set(from, 8);
        key.set(six, 12);
        key.set(to, 28);
        return key;
      });
    const element: fc.Arbitrary<SetElement> = fc.record(
      {
        key: padded,
        data: bytes(4),
        limit: fc.oneof(
          fc.record({
            unit: fc.constant("packets" as const),
            rate: fc.integer({ min: 1, max: 2 ** 30 }),
            burst: fc.integer({ min: 1, max: 0xffff }),
          }),
          fc.record({ rate: fc.integer({ min: 1, max: 2 ** 40 }), burst: fc.integer({ min: 1, max: 0xffffffff }) }),
        ),
        counter: fc.record({ packets: figure, octets: figure }),
        comment: fc.stringMatching(/^[ !#-~]{1,127}$/),
      },
      { requiredKeys: ["key", "data"] },
    );
    fc.assert(
      fc.property(element, (wanted) => {
        const change: ElementChange = { action: "create", set: "m", element: wanted, object: "x" };
        expect(parseElements(inside(renderChange("t", SAMPLE, change)), layout("m", SAMPLE))).toEqual([wanted]);
      }),
    );
  });

  it("reads class ids and marks of every value", () => {
    fc.assert(
      fc.property(fc.constantFrom("classid", "mark"), fc.uint8Array({ minLength: 4, maxLength: 4 }), (type, all) => {
        const codec = codecOf(type);
        const value = Buffer.from(all);
        expect(codec?.fromText(codec.toText(value))).toEqual(value);
      }),
    );
  });

  it("writes a burst of nothing as one octet, which nft can say", () => {
    const text = renderTransaction("t", LAYOUTS, createFlow(flow(1, { burst: octets(0) })));
    expect(text).toContain("burst 1 bytes");
  });

  it("refuses what nft's language cannot say", () => {
    const change = (element: SetElement, set = "m"): ElementChange => ({ action: "create", set, element, object: "x" });
    const [key, data] = [Buffer.alloc(32), Buffer.alloc(4)];
    const wrong: readonly ElementChange[] = [
      change({ key, data }, "nowhere"),
      change({ key: Buffer.alloc(31), data }),
      change({ key, data: Buffer.alloc(3) }),
      change({ key }),
      change({ key, data, comment: 'a" : 0x1 }; flush ruleset; "' }),
      change({ key, data, comment: "two\nlines" }),
      change({ key, data, comment: "" }),
    ];
    for (const one of wrong) {
      expect(() => renderChange("t", SAMPLE, one)).toThrow(expect.objectContaining({ code: "KERNEL_NFT_TEXT" }));
    }
  });
});

describe("listings", () => {
  const listing = (elements: string): string =>
    `table inet t {\n\tmap m {\n\t\ttype inet_proto . ipv4_addr . inet_service . ipv4_addr . inet_service : mark\n\t\tsize 16\n` +
    `\t\tlimit rate 1 mbytes/second burst 1500 bytes counter\n\t\telements = { ${elements} }\n\t}\n}\n`;
  const KEY = "17 . 192.0.2.1 . 5000 . 198.51.100.1 . 6000";

  it("reads nft's units, its defaults, and lines that it wraps", () => {
    const found = parseListing(
      listing(
        `${KEY} limit rate 10 kbytes/second burst 2 kbytes counter packets 1 bytes 2 comment "a, b } : { c" : 0xae000001,\n` +
          "\t\t\t     udp . 192.0.2.1 . 1 . 198.51.100.1 . 2 limit rate 17 mbytes/second counter packets 0 bytes 0 : 0x00000001",
      ),
      "m",
    );
    expect(found).toHaveLength(2);
    expect(found[0]).toMatchObject({
      limit: { rate: 10_240, burst: 2048 },
      counter: { packets: 1, octets: 2 },
      comment: "a, b } : { c",
    });
    expect(found[1]?.limit).toEqual({ rate: 17 * 1024 * 1024, burst: 0 });
  });

  it("reads limits in packets, and the burst that nft does not print", () => {
    const found = parseListing(
      listing(`${KEY} limit rate 50/second burst 10 packets : 0x1, ${KEY} limit rate 51/second : 0x1`),
      "m",
    );
    expect(found.map(({ limit }) => limit)).toEqual([
      { unit: "packets", rate: 50, burst: 10 },
      { unit: "packets", rate: 51, burst: 5 },
    ]);
  });

  it("reads an empty set", () => {
    expect(parseListing("table inet t {\n\tset s {\n\t\ttype mark\n\t}\n}\n", "s")).toEqual([]);
  });

  it("passes over statements that it never writes, so that the element is seen to be foreign", () => {
    const [found] = parseListing(
      listing(
        `132 . 192.0.2.1 . 1 . 198.51.100.1 . 2 limit rate over 5/hour quota 3 bytes timeout 1h expires 59m2s : 0x1`,
      ),
      "m",
    );
    expect(found?.limit).toBeUndefined();
    expect(found?.counter).toBeUndefined();
    expect(found?.key[0]).toBe(132);
  });

  it.each([
    ["a key that is too short", "17 . 192.0.2.1 : 0x1"],
    ["a port beyond all ports", "17 . 192.0.2.1 . 65536 . 198.51.100.1 . 6000 : 0x1"],
    ["a name for an address", "17 . localhost . 5000 . 198.51.100.1 . 6000 : 0x1"],
    ["a missing value", KEY],
    ["a value of another type", `${KEY} : accept`],
  ])("refuses %s", (_what, elements) => {
    expect(() => parseListing(listing(elements), "m")).toThrow(expect.objectContaining({ code: "KERNEL_NFT_TEXT" }));
  });

  it("reads any text in time that grows with it, or refuses it", () => {
    const [words] = [
      fc.constantFrom(KEY, "limit", "rate", "counter", "packets", "bytes", ",", ":", ".", '"', "{", "}", "1", "burst"),
    ];
    fc.assert(
      fc.property(fc.array(words, { maxLength: 40 }), (all) => {
        try {
          parseListing(listing(all.join(" ")), "m");
        } catch (error) {
          expect(error).toMatchObject({ code: "KERNEL_NFT_TEXT" });
        }
      }),
    );
    const many = Array.from({ length: 20_000 }, (_, port) => `17 . 192.0.2.1 . ${port} . 198.51.100.1 . 6000 : 0x1`);
    expect(parseListing(listing(many.join(",\n\t\t\t     ")), "m")).toHaveLength(20_000);
  });

  it("keeps pools apart", () => {
    const [first] = parseElements(
      inside(renderChange("t", LAYOUTS, createPool(pool(5, 300, 'a "b" 100%')))),
      layout("pools"),
    );
    expect(first?.comment).toBe("pool:300000:a%20%22b%22%20100%25");
  });
});
