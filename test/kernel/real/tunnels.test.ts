import { execa } from "execa";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { TunnelNames, tunnelMark } from "../../../src/kernel/link/tunnel.js";
import { Tunnels } from "../../../src/kernel/link/tunnels.js";
import type { Tunnel } from "../../../src/kernel/port.js";
import { octets } from "../../../src/model/units.js";
import { inOwnNamespace, run } from "./namespace.js";

const TABLE = "sluice_test";
const names = new TunnelNames(TABLE);

const tunnel = (id: number, changes: Partial<Tunnel> = {}): Tunnel => ({
  id,
  name: `to b, number ${id}`,
  kind: "vxlan",
  local: "10.2.0.1",
  remote: "10.2.0.2",
  sourcePort: 50_000 + 10 * id,
  destinationPort: 4789,
  mtu: octets(1400),
  ...changes,
});
const tunnel6 = (id: number): Tunnel => tunnel(id, { local: "2001:db8:2::1", remote: "2001:db8:2::2" });
const otherEnd = (one: Tunnel): Tunnel => ({ ...one, local: one.remote, remote: one.local });

inOwnNamespace(import.meta.url, () => {
  const tunnels = new Tunnels(TABLE);

  const state = async (): Promise<string> =>
    [
      await run("ip", "-br", "link"),
      await run("ip", "rule"),
      await run("ip", "-6", "rule"),
      await run("ip", "-4", "route", "show", "table", "all"),
      // Link-local routes of other devices come when their addresses are ready.
      await run("ip", "-6", "route", "show", "table", "all", "proto", "83"),
    ].join("\n");

  beforeAll(async () => {
    await run("ip", "netns", "add", "b");
    await run("ip", "link", "add", "wan0", "type", "veth", "peer", "name", "eth0", "netns", "b");
    for (const [place, device, four, six] of [
      [[], "wan0", "10.2.0.1/24", "2001:db8:2::1/64"],
      [["-n", "b"], "eth0", "10.2.0.2/24", "2001:db8:2::2/64"],
    ] as const) {
      await run("ip", ...place, "addr", "add", four, "dev", device);
      await run("ip", ...place, "addr", "add", six, "dev", device, "nodad");
      await run("ip", ...place, "link", "set", device, "up");
    }
    // What belongs to others and must stay: a VXLAN, a rule and a route of their own.
    await run(
      "ip",
      "link",
      "add",
      "vx9",
      "type",
      "vxlan",
      "id",
      "9",
      "remote",
      "10.2.0.9",
      "dstport",
      "8472",
      "dev",
      "wan0",
    );
    await run("ip", "rule", "add", "fwmark", "0x10000/0xff0000", "lookup", "100", "pref", "6000");
    await run("ip", "route", "add", "blackhole", "203.0.113.0/24", "table", "100", "proto", "83");
  });
  afterEach(() => tunnels.removeAll());

  describe("tunnels", () => {
    it("are made, read back whole, changed, and taken away without a trace", async () => {
      const before = await state();
      await tunnels.set([tunnel(1), tunnel6(2), tunnel(255)]);
      expect((await tunnels.read()).whole).toEqual(
        new Map([tunnel(1), tunnel6(2), tunnel(255)].map((one) => [one.id, one])),
      );
      const moved = tunnel(1, { remote: "10.2.0.3", mtu: octets(1300), name: 'other "end"' });
      await tunnels.set([moved]);
      expect((await tunnels.read()).whole.get(1)).toEqual(moved);
      await tunnels.remove([1, 2, 77]);
      expect([...(await tunnels.read()).whole.keys()]).toEqual([255]);
      await tunnels.removeAll();
      expect(await state()).toBe(before);
    });

    it.each([
      ["its device", () => run("ip", "link", "del", names.device(1))],
      ["its rule", () => run("ip", "rule", "del", "pref", "5301")],
      ["its IPv6 rule", () => run("ip", "-6", "rule", "del", "pref", "5301")],
      ["its route", () => run("ip", "route", "flush", "table", String(names.routeTable(1)))],
      [
        "the exception for its outer packets",
        () => run("ip", "route", "del", "throw", "10.2.0.2", "table", String(names.routeTable(1))),
      ],
      ["its state", () => run("ip", "link", "set", names.device(1), "down")],
    ])("are not whole without %s, and are mended by making them again", async (_what, damage) => {
      await tunnels.set([tunnel(1)]);
      await damage();
      expect((await tunnels.read()).whole.size).toBe(0);
      await tunnels.set([tunnel(1)]);
      expect((await tunnels.read()).whole.get(1)).toEqual(tunnel(1));
    });

    it("whose device would be under a strict reverse path filter has a loose one, and nobody else has", async () => {
      const filterOf = (name: string) => run("cat", `/proc/sys/net/ipv4/conf/${name}/rp_filter`);
      await run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/conf/all/rp_filter");
      try {
        const before = await filterOf("wan0");
        await tunnels.set([tunnel(1)]);
        expect([await filterOf(names.device(1)), await filterOf("wan0"), await filterOf("all")]).toEqual([
          "2",
          before,
          "1",
        ]);
      } finally {
        await run("sh", "-c", "echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter");
      }
      await tunnels.set([tunnel(1)]);
      expect(await filterOf(names.device(1))).toBe(await filterOf("default"));
    });

    it("are judged among all that there shall be, and only when one is to be set", () => {
      const one: Tunnel = { ...tunnel(1), kind: "ipip", sourcePort: 0, destinationPort: 0 };
      const other = { ...one, id: 2 };
      expect(() => tunnels.check([], [one, other])).not.toThrow();
      expect(() => tunnels.check([one], [one])).not.toThrow();
      expect(() => tunnels.check([other], [one, other])).toThrow(/tunnel 2 .*already/);
    });

    it("carry marked packets to the other end as they were, of both families", async () => {
      await tunnels.set([tunnel(1)]);
      // The other end, by the same commands in the other namespace.
      await inB(otherEnd(tunnel(1)));
      await run(
        "ip",
        "netns",
        "exec",
        "b",
        "sh",
        "-c",
        `echo 0 > /proc/sys/net/ipv4/conf/${names.device(1)}/rp_filter`,
      );
      await run("ip", "netns", "exec", "b", "sh", "-c", "echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter");
      await run("ip", "-n", "b", "addr", "add", "198.51.100.20/32", "dev", "lo");
      await run("ip", "-n", "b", "addr", "add", "2001:db8:77::20/128", "dev", "lo");
      await run("ip", "-n", "b", "link", "set", "lo", "up");
      await run("ip", "netns", "exec", "b", "nft", COUNT_IN_B.replaceAll("DEVICE", names.device(1)));
      const mark = String(tunnelMark(1));
      await run(
        "nft",
        `table inet t { chain o { type route hook output priority mangle; udp dport 7001 ip dscp set ef; udp dport 7001 ip6 dscp set ef; udp dport 7001 meta mark set ${mark}; }; }`,
      );
      for (const [destination, source] of [
        ["198.51.100.20", "10.2.0.1"],
        ["2001:db8:77::20", "2001:db8:2::1"],
      ]) {
        await run(
          "ip",
          "route",
          "replace",
          destination?.includes(":") ? `${destination}/128` : `${destination}/32`,
          "dev",
          "wan0",
        );
        const script = `const s=require("dgram").createSocket("udp${destination?.includes(":") ? 6 : 4}");s.bind(7000,"${source}",()=>{let n=0;const go=()=>n++<5?s.send("x".repeat(100),7001,"${destination}",go):s.close();go()})`;
        await run(process.execPath, "-e", script);
      }
      const counted = await run("ip", "netns", "exec", "b", "nft", "list", "table", "inet", "receiver");
      const packets = Object.fromEntries(
        [...counted.matchAll(/counter packets (\d+) bytes \d+ comment "([^"]+)"/g)].map((match) => [
          match[2],
          Number(match[1]),
        ]),
      );
      expect(packets).toEqual({ inner4: 5, inner6: 5, outer: 10 });
      await run("nft", "delete", "table", "inet", "t");
    });
  });

  async function inB(end: Tunnel): Promise<void> {
    const { createCommands } = await import("../../../src/kernel/link/tunnel.js");
    const commands = createCommands(names, end);
    for (const family of [4, 6] as const) {
      const args = ["-n", "b", ...(family === 6 ? ["-6"] : []), "-batch", "-"];
      await execa("ip", args, { input: commands[family].join("\n") });
    }
  }
});

/** The outer packets have one 5-tuple and the inner code point. */
const COUNT_IN_B = `table inet receiver { chain in { type filter hook prerouting priority 0;
  iifname "eth0" udp sport 50010 udp dport 4789 ip dscp ef counter comment "outer";
  iifname "DEVICE" ip daddr 198.51.100.20 udp dport 7001 ip dscp ef counter comment "inner4";
  iifname "DEVICE" ip6 daddr 2001:db8:77::20 udp dport 7001 ip6 dscp ef counter comment "inner6"; }; }`;
