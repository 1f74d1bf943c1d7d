import { describe, expect, it } from "vitest";
import { deviceCommands, keyNumber, type TunnelDevice, tunnelOf } from "../../../src/kernel/link/device.js";
import { macOf, TunnelNames } from "../../../src/kernel/link/names.js";
import { deviceOf } from "../../../src/kernel/link/observed.js";
import { TUNNEL_KINDS } from "../../../src/model/tunnel.js";
import { listed, tunnel } from "./samples.js";

const names = new TunnelNames("sluice");
const device = names.device(7);
const KINDS = TUNNEL_KINDS.flatMap((kind) => ([4, 6] as const).map((outer) => [kind, outer] as const));

describe("the device of a tunnel", () => {
  const v4 = "local 10.2.0.1 remote 10.2.0.2";
  const v6 = "local 2001:db8:2::1 remote 2001:db8:2::2";
  const header4 = "ttl 64 tos inherit pmtudisc";
  const header6 = "hoplimit 64 tclass inherit encaplimit none";
  const ports = "encap-sport 50070 encap-dport 6087";
  it.each([
    ["ipip", 4, `sit mode any ${v4} ${header4}`],
    ["ipip", 6, `ip6tnl mode any ${v6} ${header6}`],
    ["gre", 4, `gre ${v4} key 7 ${header4}`],
    ["gre", 6, `ip6gre ${v6} key 7 ${header6}`],
    ["fou", 4, `sit mode any ${v4} ${header4} encap fou ${ports}`],
    ["fou", 6, `ip6tnl mode any ${v6} ${header6} encap fou ${ports}`],
    ["gue", 4, `sit mode any ${v4} ${header4} encap gue ${ports}`],
    ["gue", 6, `ip6tnl mode any ${v6} ${header6} encap gue ${ports}`],
  ] as const)("of %s over IPv%i takes both families, keeps code points and is signed", (kind, outer, type) => {
    expect(deviceCommands(names, tunnel(kind, outer))).toEqual([
      `link add ${device} mtu 1400 type ${type}`,
      `link set ${device} alias sluice:sluice:7:a%20to%20b`,
      `link set ${device} up`,
    ]);
  });

  it("of VXLAN is an Ethernet with computed addresses and one source port", () => {
    expect(deviceCommands(names, tunnel("vxlan", 6))[0]).toBe(
      `link add ${device} mtu 1400 address ${macOf("2001:db8:2::1", 7)} type vxlan id 7 ${v6} ` +
        "dstport 6087 srcport 50070 50071 tos inherit ttl 64 nolearning",
    );
  });

  it.each(KINDS)("of %s over IPv%i is read back as it was wanted", (kind, outer) => {
    const found = deviceOf(listed(device, kind, outer));
    expect(found && tunnelOf(names, found)).toEqual(tunnel(kind, outer));
  });

  it.each<[string, Partial<TunnelDevice>]>([
    ["is down", { up: false }],
    ["has another number", { number: 8 }],
    ["takes one family alone", { anyFamily: false }],
    ["has no far end", { remote: "any" }],
    ["has another's alias", { alias: "sluice:other:7:a" }],
    ["has another's name", { name: "gre1" }],
  ])("is not taken for whole if it %s", (_what, changes) => {
    const found = deviceOf(listed(device, "gre", 4));
    expect(found && tunnelOf(names, { ...found, ...changes })).toBeUndefined();
  });

  it.each<[string, unknown]>([
    ["one that the filter left out", {}],
    ["a bridge", { ifname: "br0", flags: [], mtu: 1500, linkinfo: { info_kind: "bridge", info_data: {} } }],
    ["hardware", { ifname: "eth0", flags: [], mtu: 1500 }],
    ["text", "?"],
  ])("is not %s", (_what, link) => expect(deviceOf(link)).toBeUndefined());

  it("has a key that is the same in both directions, or none", () => {
    const other = structuredClone(listed(device, "gre", 4)) as { linkinfo: { info_data: { okey: string } } };
    other.linkinfo.info_data.okey = "0.0.0.9";
    expect(deviceOf(other)?.number).toBe(0);
    expect([keyNumber("0.0.1.2"), keyNumber("255.255.255.255"), keyNumber("")]).toEqual([258, 0xffff_ffff, 0]);
  });
});
