import { describe, expect, it } from "vitest";
import { encodeServerKey } from "../../../src/kernel/ebpf/flow-key.js";
import { encodeSettings, isMarked, keyText, sealOf, serversOf } from "../../../src/kernel/ebpf/settings.js";
import { decodeState, encodeState, LAYOUT, STATE_SHAPE, type TableState } from "../../../src/kernel/ebpf/state.js";
import { dscp, octets } from "../../../src/model/units.js";
import { desired, link, pool } from "../fixtures.js";

const state: TableState = {
  owner: "sluice",
  layout: LAYOUT,
  structureId: "0123456789abcdef",
  seal: "00",
  interfaces: [link("wan0"), { ...link("dsl0"), mpu: octets(64), linkLayer: "adsl", overhead: octets(9) }],
  pools: [pool(1), pool(0x7fff, 7, 'access "down" 100% ä')],
};

describe("the state of a table", () => {
  it("comes back whole", () => {
    const value = encodeState(state);
    expect(value).toHaveLength(STATE_SHAPE.valueLength);
    expect(decodeState(value)).toEqual(state);
  });

  it("holds two thousand pools with names as long as they may be, and says when there are too many", () => {
    const pools = (count: number) => Array.from({ length: count }, (_, at) => pool(at + 1, 9_000_000, "x".repeat(80)));
    expect(decodeState(encodeState({ ...state, pools: pools(2000) }))?.pools).toEqual(pools(2000));
    expect(() => encodeState({ ...state, pools: pools(4000) })).toThrow(
      expect.objectContaining({ code: "KERNEL_LIMIT", remedy: expect.any(String) }),
    );
  });

  it("is none where nothing was written, or something else", () => {
    const value = encodeState(state);
    const changed = (change: (octets: Uint8Array) => void): Uint8Array => {
      const copy = Uint8Array.from(value);
      change(copy);
      return copy;
    };
    expect(decodeState(new Uint8Array(0))).toBeUndefined();
    expect(decodeState(new Uint8Array(STATE_SHAPE.valueLength))).toBeUndefined();
    expect(decodeState(changed((copy) => copy.fill(0xff, 0, 4)))).toBeUndefined();
    expect(decodeState(changed((copy) => copy.fill(0x20, 4, 9)))).toBeUndefined();
    for (const wrong of [
      null,
      [],
      { ...state, pools: "none" },
      { ...state, pools: [1] },
      { ...state, owner: 1 },
      { ...state, seal: undefined },
      { ...state, pools: [{ id: 1, name: "a", rate: -1 }] },
    ]) {
      const text = Buffer.from(JSON.stringify(wrong));
      const octetsOf = new Uint8Array(1024);
      new DataView(octetsOf.buffer).setUint32(0, text.length, true);
      octetsOf.set(text, 4);
      expect(decodeState(octetsOf), text.toString()).toBeUndefined();
    }
  });
});

describe("settings", () => {
  it("tell classes, the code point of signalling, and whose they are", () => {
    const settings = encodeSettings("sluice", dscp(24));
    const view = new DataView(settings.buffer);
    expect([view.getUint32(0, true), view.getUint32(4, true), view.getUint8(8)]).toEqual([0x10002, 0x1ffff, 24]);
    expect(isMarked(settings, "sluice")).toBe(true);
    expect(isMarked(settings, "sluice2")).toBe(false);
    expect(isMarked(new Uint8Array(32), "sluice")).toBe(false);
    expect(isMarked(new Uint8Array(0), "sluice")).toBe(false);
  });

  it("are sealed with the servers, in any order", () => {
    const settings = encodeSettings("sluice", dscp(24));
    expect(sealOf(settings, ["a", "b"])).toBe(sealOf(settings, ["b", "a"]));
    expect(sealOf(settings, ["a", "b"])).not.toBe(sealOf(settings, ["a"]));
    expect(sealOf(settings, ["a"])).not.toBe(sealOf(encodeSettings("sluice", dscp(26)), ["a"]));
  });

  it("name each server once", () => {
    const match = { protocol: "udp", port: 5060, servers: ["192.0.2.1", "2001:db8::1"] } as const;
    const servers = serversOf(desired([], { signalling: [match, match] }));
    expect([...servers.values()]).toEqual([
      { protocol: "udp", port: 5060, address: "192.0.2.1" },
      { protocol: "udp", port: 5060, address: "2001:db8::1" },
    ]);
    expect([...servers.keys()]).toEqual([...servers.values()].map((server) => keyText(encodeServerKey(server))));
  });
});
