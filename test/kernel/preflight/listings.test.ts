import { describe, expect, it } from "vitest";
import { parseFeatures } from "../../../src/kernel/preflight/sources/ethtool.js";
import { parseHtbClasses } from "../../../src/kernel/preflight/sources/htb-classes.js";
import { parseLinks } from "../../../src/kernel/preflight/sources/links.js";
import { parseQdiscs, parseQdiscText } from "../../../src/kernel/preflight/sources/qdiscs.js";
import { parseRules } from "../../../src/kernel/preflight/sources/routing-rules.js";

// All recorded from iproute2 6.1.0 and ethtool 6.1.
describe("interfaces", () => {
  it("are read from ip", () => {
    const text = `[{"ifindex":1,"ifname":"lo","flags":["LOOPBACK","UP","LOWER_UP"],"mtu":65536,"qdisc":"noqueue","operstate":"UNKNOWN","link_type":"loopback","min_mtu":0},
{"ifindex":4,"ifname":"vx0","flags":["BROADCAST","MULTICAST"],"mtu":1450,"qdisc":"noop","operstate":"DOWN","ifalias":"sluice:sluice:3:x","linkinfo":{"info_kind":"vxlan","info_data":{"id":100,"remote":"10.2.0.2","port":4789,"learning":false}}}]`;
    expect(parseLinks(text)).toEqual([
      {
        name: "lo",
        mtu: 65_536,
        state: "UNKNOWN",
        isLoopback: true,
        kind: undefined,
        alias: "",
        hasXdp: false,
        vxlan: undefined,
      },
      {
        name: "vx0",
        mtu: 1450,
        state: "DOWN",
        isLoopback: false,
        kind: "vxlan",
        alias: "sluice:sluice:3:x",
        hasXdp: false,
        vxlan: { id: 100, port: 4789 },
      },
    ]);
  });
});

describe("queues", () => {
  it("are read from tc", () => {
    const text = `[{"kind":"noqueue","handle":"0:","dev":"lan0","root":true,"refcnt":2,"options":{}},{"kind":"htb","handle":"1:","dev":"wan0","root":true,"refcnt":3,"options":{"r2q":7,"default":"0x10","direct_packets_stat":0,"direct_qlen":1000}},{"kind":"bfifo","handle":"8001:","dev":"wan0","parent":"1:10","options":{"limit":"20480b"}}]`;
    expect(parseQdiscs(text)).toEqual([
      { device: "lan0", kind: "noqueue", handle: "0:", isRoot: true, r2q: undefined },
      { device: "wan0", kind: "htb", handle: "1:", isRoot: true, r2q: 7 },
      { device: "wan0", kind: "bfifo", handle: "8001:", isRoot: false, parent: "1:10", r2q: undefined },
    ]);
  });

  it("are not guessed from the invalid JSON that tc prints for dsmark", () => {
    expect(
      parseQdiscs('[{"kind":"dsmark","handle":"1:","dev":"rb","root":true,"options":{indices 0x0040 }}]'),
    ).toBeUndefined();
  });

  it("are read from its text then", () => {
    const text = [
      "qdisc noqueue 0: dev lo root refcnt 2 ",
      "qdisc dsmark 2: dev wan0 root refcnt 3 indices 0x0080 default_index 0xffbf set_tc_index ",
      "qdisc bfifo 8001: dev wan0 parent 1:11 limit 20000b",
      "qdisc htb 1: dev wan0 parent 2:1 r2q 1392508928 default 0xffff direct_packets_stat 0 direct_qlen 1000",
      "qdisc ingress ffff: dev lan0 parent ffff:fff1 ---------------- ",
      "qdisc dsmark 1: dev lan0 root refcnt 2 indices 0x0040 ",
      "",
    ].join("\n");
    const common = { isRoot: false, r2q: undefined };
    expect(parseQdiscText(text)).toEqual([
      { ...common, device: "lo", kind: "noqueue", handle: "0:", isRoot: true },
      {
        ...common,
        device: "wan0",
        kind: "dsmark",
        handle: "2:",
        isRoot: true,
        dsmark: { indices: 128, defaultIndex: 0xffbf, setTcIndex: true },
      },
      { ...common, device: "wan0", kind: "bfifo", handle: "8001:", parent: "1:11" },
      { ...common, device: "wan0", kind: "htb", handle: "1:", parent: "2:1", r2q: 1392508928 },
      { ...common, device: "lan0", kind: "ingress", handle: "ffff:", parent: "ffff:fff1" },
      {
        ...common,
        device: "lan0",
        kind: "dsmark",
        handle: "1:",
        isRoot: true,
        dsmark: { indices: 64, setTcIndex: false },
      },
    ]);
  });

  it.each([
    "qdisc dsmark 2: dev wan0 root refcnt 3 default_index 0xffbf",
    "qdisc dsmark 2: dev wan0 root refcnt 3 indices 0x0080 surprise",
    "qdisc htb dev wan0 root",
    "Cannot open netlink socket",
  ])("are not guessed from other text: %s", (text) => {
    expect(parseQdiscText(`qdisc noqueue 0: dev lo root refcnt 2\n${text}\n`)).toBeUndefined();
  });
});

describe("HTB classes", () => {
  it("are read from tc, without those that have no turn", () => {
    const text = `class htb 1:11 parent 1:1 prio 0 quantum 1514 rate 1Mbit ceil 1Mbit linklayer ethernet burst 1600b/1 mpu 0b cburst 1600b/1 mpu 0b level 0
class htb 1:10 parent 1:1 leaf cae9: prio 0 quantum 9014 rate 1Mbit ceil 1Mbit linklayer ethernet burst 1600b/1 mpu 0b cburst 1600b/1 mpu 0b level 0
class htb 1:1 root rate 20Gbit ceil 20Gbit linklayer ethernet burst 0b/1 mpu 0b cburst 0b/1 mpu 0b level 7
class fq_codel 8001:1 parent 8001:
`;
    expect(parseHtbClasses(text)).toEqual([
      { id: "1:11", quantum: 1514 },
      { id: "1:10", quantum: 9014 },
    ]);
    expect(parseHtbClasses("")).toEqual([]);
    expect(parseHtbClasses("Cannot find device")).toBeUndefined();
  });
});

describe("routing rules", () => {
  it("are read from ip", () => {
    const text = `[{"priority":0,"src":"all","table":"local","protocol":"kernel"},{"priority":100,"src":"all","fwmark":"0x10000","fwmask":"0xff0000","table":"100","protocol":"83"},{"priority":32764,"src":"all","dst":"10.0.0.0","dstlen":8,"iif":"wan0","action":"unreachable"},{"priority":32765,"src":"all","fwmark":"0x10000","table":"100"}]`;
    expect(parseRules(text, 4)).toEqual([
      { family: 4, preference: 0, table: "local", mark: undefined, protocol: "kernel" },
      { family: 4, preference: 100, table: "100", mark: { value: 0x10000, mask: 0xff0000 }, protocol: "83" },
      { family: 4, preference: 32_764, table: "", mark: undefined, protocol: "" },
      { family: 4, preference: 32_765, table: "100", mark: { value: 0x10000, mask: 0xffffffff }, protocol: "" },
    ]);
  });

  it("may be none", () => expect(parseRules("", 6)).toEqual([]));
});

describe("offloads", () => {
  it("are read from ethtool", () => {
    const text = `Features for wan0:
rx-checksumming: on
\ttx-checksum-ipv4: off [fixed]
tcp-segmentation-offload: on
large-receive-offload: off [fixed]
hw-tc-offload: off [requested on]
`;
    const features = parseFeatures(text);
    expect(features?.get("tcp-segmentation-offload")).toEqual({ isOn: true, isFixed: false });
    expect(features?.get("tx-checksum-ipv4")).toEqual({ isOn: false, isFixed: true });
    expect(features?.get("hw-tc-offload")).toEqual({ isOn: false, isFixed: false });
    expect(features?.size).toBe(5);
  });

  it("are not guessed", () => expect(parseFeatures("Cannot get device feature names: No such device")).toBeUndefined());
});
