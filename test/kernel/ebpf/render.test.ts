import { describe, expect, it } from "vitest";
import { encodeServerKey } from "../../../src/kernel/ebpf/flow-key.js";
import {
  bpfStep,
  flowGoneLine,
  flowLine,
  poolGoneLine,
  poolLine,
  removalLines,
  structureLines,
} from "../../../src/kernel/ebpf/render.js";
import { keyText } from "../../../src/kernel/ebpf/settings.js";
import { octets } from "../../../src/model/units.js";
import { desired, flow, flow6, link, pool, remark } from "../fixtures.js";

const program = { id: 7, tag: "0", mapIds: [], role: "flow" } as const;
const place = { index: 3, name: "wan0", linkType: 1, programs: [program] };

describe("lines of changes", () => {
  it("tell a flow with all that becomes of its packets", () => {
    expect(flowLine({ rule: flow(1) })).toBe(
      "flow set udp 192.0.2.10:10001 > 198.51.100.20:20001 dscp 46 class 1:11 rate 10000 burst 1500 excess drop " +
        "session 0123456789abcdef id 1",
    );
    const counters = {
      inProfile: { packets: 3, octets: octets(600) },
      outOfProfile: { packets: 1, octets: octets(200) },
    };
    const rule = flow6(2, { pool: 0x7fff, packetSize: octets(200), outOfProfile: remark(10) });
    expect(flowLine({ rule, counters })).toBe(
      "flow set udp [2001:db8:1::10]:10002 > [2001:db8:2::20]:20002 dscp 46 class 1:800f rate 10000 burst 1500 " +
        "packet 200 excess remark dscp 10 class 1:ffff session 0123456789abcdef id 2 from 3+1 packets 600+200 octets",
    );
    expect(flowGoneLine(flow(1))).toBe("flow remove udp 192.0.2.10:10001 > 198.51.100.20:20001 id 1");
  });

  it("tell pools", () => {
    expect(poolLine(pool(2, 500, 'a "b"'))).toBe('pool set 2 "a \\"b\\"" rate 62500');
    expect(poolGoneLine(pool(2))).toBe("pool remove 2");
  });

  it("tell programs, servers and settings", () => {
    const server = keyText(encodeServerKey({ protocol: "udp", address: "2001:db8::1", port: 5060 }));
    const gone = keyText(encodeServerKey({ protocol: "tcp", address: "192.0.2.1", port: 3288 }));
    const changes = [
      { place: { index: 1, name: "lo", linkType: 772, programs: [] }, attach: "anchor", detach: [] },
      { place, attach: 0, replace: program, detach: [{ ...program, id: 8 }] },
    ] as const;
    const wanted = desired([], { interfaces: [link("wan0"), link("wan1")] });
    expect(structureLines("sluice", wanted, { changes, serversCome: [server], serversGone: [gone] })).toEqual([
      "settings set owner sluice signalling dscp 24 class 1:2",
      "server set udp [2001:db8::1]:5060",
      "server remove tcp 192.0.2.1:3288",
      "attach sluice_anchor to lo egress",
      "attach sluice_flow to wan0 egress link header 0 in place of program 7",
      "detach program 8 from wan0 egress",
      "state set interfaces wan0 wan1",
    ]);
    expect(removalLines([place])).toEqual(["detach program 7 from wan0 egress"]);
  });

  it("are one step, or none", () => {
    expect(bpfStep([])).toEqual([]);
    expect(bpfStep(["a", "b"])).toEqual([{ tool: "bpf", args: [], input: "a\nb\n" }]);
  });
});
