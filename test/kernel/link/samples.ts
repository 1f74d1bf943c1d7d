/** Tunnels of each kind, and what `ip` of iproute2 6.1 told of their devices on Linux 6.1 (Debian 12). */
import type { Tunnel } from "../../../src/kernel/port.js";
import type { IpFamily } from "../../../src/model/ip.js";
import { hasPorts, type TunnelKind } from "../../../src/model/tunnel.js";
import { octets } from "../../../src/model/units.js";

const ENDS = {
  4: { local: "10.2.0.1", remote: "10.2.0.2" },
  6: { local: "2001:db8:2::1", remote: "2001:db8:2::2" },
} as const;

export const tunnel = (kind: TunnelKind, outer: IpFamily = 4, changes: Partial<Tunnel> = {}): Tunnel => ({
  id: 7,
  name: "a to b",
  kind,
  ...ENDS[outer],
  sourcePort: hasPorts(kind) ? 50_070 : 0,
  destinationPort: hasPorts(kind) ? 6087 : 0,
  mtu: octets(1400),
  ...changes,
});

const FOU4 = { sport: 50_070, dport: 6087, csum: false, csum6: false, remcsum: false };
const FOU6 = { ...FOU4, csum6: true };
const IP4 = { remote: "10.2.0.2", local: "10.2.0.1", ttl: 64, tos: "0x1", pmtudisc: true };
const SIT = { proto: "any", ...IP4, prefix: "2002::", prefixlen: 16 };
const KEY = { ikey: "0.0.0.7", okey: "0.0.0.7" };
const IP6 = {
  remote: "2001:db8:2::2",
  local: "2001:db8:2::1",
  ttl: 64,
  ip6_tnl_f_ign_encap_limit: true,
  ip6_tnl_f_use_orig_tclass: true,
  flowlabel: "0x00000",
};
const VXLAN = {
  id: 7,
  port_range: { low: 50_070, high: 50_071 },
  port: 6087,
  learning: false,
  tos: "0x1",
  ttl: 64,
  df: "unset",
  ageing: 300,
  udp_csum: true,
  udp_zero_csum6_tx: false,
  udp_zero_csum6_rx: false,
};

const INFO: Readonly<Record<TunnelKind, Readonly<Record<IpFamily, object>>>> = {
  ipip: {
    4: { info_kind: "sit", info_data: SIT },
    6: { info_kind: "ip6tnl", info_data: { proto: "any", ...IP6 } },
  },
  gre: {
    4: { info_kind: "gre", info_data: { ...IP4, ...KEY } },
    6: { info_kind: "ip6gre", info_data: { ...IP6, ...KEY } },
  },
  fou: {
    4: { info_kind: "sit", info_data: { ...SIT, encap: { type: "fou", ...FOU4 } } },
    6: { info_kind: "ip6tnl", info_data: { proto: "any", ...IP6, encap: { type: "fou", ...FOU6 } } },
  },
  gue: {
    4: { info_kind: "sit", info_data: { ...SIT, encap: { type: "gue", ...FOU4 } } },
    6: { info_kind: "ip6tnl", info_data: { proto: "any", ...IP6, encap: { type: "gue", ...FOU6 } } },
  },
  vxlan: {
    4: { info_kind: "vxlan", info_data: { ...VXLAN, remote: "10.2.0.2", local: "10.2.0.1" } },
    6: { info_kind: "vxlan", info_data: { ...VXLAN, remote6: "2001:db8:2::2", local6: "2001:db8:2::1" } },
  },
};

/** What `ip -d -j link` tells of `tunnel(kind, outer)`, but for what the link layer makes of it. */
export const listed = (name: string, kind: TunnelKind, outer: IpFamily): object => ({
  ifindex: 8,
  link: null,
  ifname: name,
  flags: ["POINTOPOINT", "NOARP", "UP", "LOWER_UP"],
  mtu: 1400,
  qdisc: "noqueue",
  operstate: "UNKNOWN",
  linkinfo: INFO[kind][outer],
  ifalias: "sluice:sluice:7:a%20to%20b",
});
