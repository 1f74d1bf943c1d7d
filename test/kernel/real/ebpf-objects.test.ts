import { closeSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Attributes, bpf, COMMAND } from "../../../src/kernel/ebpf/bpf-call.js";
import { BpfMap, type MapShape } from "../../../src/kernel/ebpf/bpf-map.js";
import {
  type FlowMaps,
  type LoadedProgram,
  loadAnchor,
  loadFlowProgram,
  programById,
} from "../../../src/kernel/ebpf/bpf-program.js";
import { objectInfo } from "../../../src/kernel/ebpf/object-info.js";
import { probeEbpf } from "../../../src/kernel/ebpf/probe.js";
import { attachEgress, detachEgress, queryEgress } from "../../../src/kernel/ebpf/tcx.js";
import { InternalError, KernelError } from "../../../src/model/errors.js";
import { closeMaps, makeMaps } from "../ebpf/flow-maps.js";
import { inOwnNamespace, run } from "./namespace.js";

const LOOPBACK = 1;
const HASH: MapShape = { name: "sluice_test", type: "hash", keyLength: 8, valueLength: 16, maxEntries: 5000 };
const ARRAY: MapShape = { name: "sluice_array", type: "array", keyLength: 4, valueLength: 12, maxEntries: 3 };
const PATIENCE = { timeout: 10_000, interval: 20 };

const numbered = (length: number, number: number): Buffer => {
  const octets = Buffer.alloc(length);
  octets.writeUInt32LE(number, 0);
  return octets;
};
const key = (number: number): Buffer => numbered(8, number);
const value = (number: number): Buffer => numbered(16, number);
const errnoOf = (action: () => unknown): string | undefined => {
  try {
    action();
  } catch (error) {
    if (error instanceof KernelError) return error.detail.errno;
    throw error;
  }
  return undefined;
};

inOwnNamespace(import.meta.url, () => {
  describe("a map", () => {
    let map: BpfMap;
    beforeEach(() => {
      map = BpfMap.create(HASH);
    });
    afterEach(() => map.close());

    it("is found by its number, with its shape, and the same entries", () => {
      const array = BpfMap.create(ARRAY);
      map.set(key(1), value(2));
      const [again, other] = [BpfMap.byId(map.id), BpfMap.byId(array.id)];
      expect([again.shape, other.shape]).toEqual([HASH, ARRAY]);
      expect(again.get(key(1))).toEqual(new Uint8Array(value(2)));
      for (const each of [array, again, other]) each.close();
    });

    it("sets, gets, deletes and takes", () => {
      expect(map.get(key(1))).toBeUndefined();
      map.set(key(1), value(1));
      map.set(key(1), value(2));
      map.set(key(1), value(3), "existing");
      expect(errnoOf(() => map.set(key(1), value(4), "new"))).toBe("EEXIST");
      expect(errnoOf(() => map.set(key(2), value(4), "existing"))).toBe("ENOENT");
      expect(map.take(key(1))).toEqual(new Uint8Array(value(3)));
      expect(map.take(key(1))).toBeUndefined();
      map.set(key(2), value(4), "new");
      expect([map.delete(key(2)), map.delete(key(2))]).toEqual([true, false]);
    });

    it("gives values that later calls do not change", () => {
      map.set(key(1), value(1));
      map.set(key(2), value(2));
      const [first, second] = [map.get(key(1)), map.get(key(2))];
      expect([first, second]).toEqual([new Uint8Array(value(1)), new Uint8Array(value(2))]);
    });

    it("refuses more than it can hold, and octets of another length", () => {
      const small = BpfMap.create({ ...HASH, maxEntries: 2 });
      small.set(key(1), value(1));
      small.set(key(2), value(1));
      expect(errnoOf(() => small.set(key(3), value(1)))).toBe("E2BIG");
      expect(() => small.set(key(1).subarray(1), value(1))).toThrow(InternalError);
      expect(() => small.set(key(1), Buffer.alloc(17))).toThrow(InternalError);
      expect(() => small.get(Buffer.alloc(9))).toThrow(InternalError);
      small.close();
    });

    it("has an array's entries from the start", () => {
      const array = BpfMap.create(ARRAY);
      expect(array.get(numbered(4, 2))).toEqual(new Uint8Array(12));
      expect(errnoOf(() => array.set(numbered(4, 3), numbered(12, 1)))).toBe("E2BIG");
      expect(errnoOf(() => array.set(numbered(4, 2), numbered(12, 1), "new"))).toBe("EEXIST");
      array.close();
    });

    it.each([1, 7, 4096, 10_000])("is read whole in batches of %i", async (size) => {
      for (let number = 0; number < 3000; number += 1) map.set(key(number), value(number * 3));
      const seen = new Map<number, number>();
      let turns = 0;
      const turn = (): void => {
        turns += 1;
        timer = setImmediate(turn);
      };
      let timer = setImmediate(turn);
      let batches = 0;
      for await (const { count, keys, values } of map.batches(size)) {
        batches += 1;
        expect([keys.length, values.length]).toEqual([8 * count, 16 * count]);
        for (let n = 0; n < count; n += 1) {
          const [left, right] = [Buffer.from(keys), Buffer.from(values)];
          expect(seen.has(left.readUInt32LE(8 * n))).toBe(false);
          seen.set(left.readUInt32LE(8 * n), right.readUInt32LE(16 * n));
        }
      }
      clearImmediate(timer);
      expect(seen.size).toBe(3000);
      for (const [number, found] of seen) expect(found).toBe(number * 3);
      expect(turns).toBeGreaterThanOrEqual(batches - 1);
    });

    it("is read in batches when it is empty, and when it is an array", async () => {
      for await (const _ of map.batches()) expect.unreachable();
      const array = BpfMap.create(ARRAY);
      array.set(numbered(4, 1), numbered(12, 9));
      const found: number[] = [];
      for await (const { count, values } of array.batches(2)) {
        for (let n = 0; n < count; n += 1) found.push(Buffer.from(values).readUInt32LE(12 * n));
      }
      expect(found).toEqual([0, 9, 0]);
      array.close();
    });

    it("is used no more after it is closed, whosever its descriptor is then", () => {
      const other = BpfMap.create(HASH);
      other.close();
      const next = BpfMap.create(HASH);
      expect(() => other.set(key(1), value(1))).toThrow(InternalError);
      expect(() => other.get(key(1))).toThrow(InternalError);
      other.close();
      expect(next.get(key(1))).toBeUndefined();
      next.close();
    });

    it("says which name it cannot have, and which number nobody has", () => {
      expect(() => BpfMap.create({ ...HASH, name: "a name" })).toThrow(RangeError);
      expect(errnoOf(() => BpfMap.byId(0x7fffffff))).toBe("ENOENT");
      expect(errnoOf(() => BpfMap.create({ ...HASH, maxEntries: 0 }))).toBe("EINVAL");
    });

    it("is not taken for one of ours when it is of another type", () => {
      // BPF_MAP_TYPE_PERCPU_HASH.
      const attributes = new Attributes(48).setU32(0, 5).setU32(4, 8).setU32(8, 16).setU32(12, 1);
      const fd = bpf(COMMAND.mapCreate, attributes, "make a map");
      const id = objectInfo(fd, 8, "map").readUInt32LE(4);
      expect(() => BpfMap.byId(id)).toThrow(expect.objectContaining({ code: "KERNEL_UNSUPPORTED" }));
      closeSync(fd);
    });
  });

  describe("programs at the egress", () => {
    let maps: FlowMaps;
    beforeEach(() => {
      maps = makeMaps(100);
    });
    afterEach(() => closeMaps(maps));
    const ids = (ifindex = LOOPBACK): readonly number[] => queryEgress(ifindex).programIds;
    const flowProgram = (name = "sluice_flow"): LoadedProgram => loadFlowProgram(maps, { linkHeader: 14, name });

    it("are listed in order, with a revision that tells changes", () => {
      const [first, second] = [flowProgram("sluice_one"), flowProgram("sluice_two")];
      const revisions = [queryEgress(LOOPBACK).revision];
      attachEgress(LOOPBACK, first);
      attachEgress(LOOPBACK, second);
      revisions.push(queryEgress(LOOPBACK).revision);
      expect(ids()).toEqual([first.id, second.id]);
      expect(errnoOf(() => attachEgress(LOOPBACK, first))).toBe("EEXIST");
      detachEgress(LOOPBACK, first);
      revisions.push(queryEgress(LOOPBACK).revision);
      expect(ids()).toEqual([second.id]);
      expect(errnoOf(() => detachEgress(LOOPBACK, first))).toBe("ENOENT");
      detachEgress(LOOPBACK, second);
      expect(ids()).toEqual([]);
      expect(new Set(revisions).size).toBe(3);
      expect(queryEgress(LOOPBACK).revision).toBe(queryEgress(LOOPBACK).revision);
      for (const program of [first, second]) program.close();
    });

    it("are replaced in their place", () => {
      const [first, old, last, made] = [1, 2, 3, 4].map((number) => flowProgram(`sluice_${number}`));
      for (const program of [first, old, last]) attachEgress(LOOPBACK, program!);
      attachEgress(LOOPBACK, made!, old!);
      expect(ids()).toEqual([first!.id, made!.id, last!.id]);
      expect(errnoOf(() => attachEgress(LOOPBACK, old!, old!))).toBe("ENOENT");
      for (const program of [first, made, last]) detachEgress(LOOPBACK, program!);
      for (const program of [first, old, last, made]) program!.close();
    });

    it("go with their device", async () => {
      await run("ip", "link", "add", "wan0", "type", "veth", "peer", "name", "lan0");
      const ifindex = Number.parseInt(await run("ip", "-o", "link", "show", "wan0"), 10);
      const program = flowProgram();
      expect(ids(ifindex)).toEqual([]);
      attachEgress(ifindex, program);
      expect(ids(ifindex)).toEqual([program.id]);
      await run("ip", "link", "del", "wan0");
      expect(errnoOf(() => queryEgress(ifindex))).toBe("ENODEV");
      expect(errnoOf(() => attachEgress(ifindex, program))).toBe("ENODEV");
      expect(errnoOf(() => detachEgress(ifindex, program))).toBe("ENODEV");
      program.close();
    });

    it("are found again by the device alone, with name, tag and maps", () => {
      const program = flowProgram();
      attachEgress(LOOPBACK, program);
      const { id, tag, name, mapIds } = program;
      program.close();
      const found = programById(ids()[0]!);
      expect({ ...found, fd: 0, close: null }).toEqual({ id, tag, name, mapIds, fd: 0, close: null });
      detachEgress(LOOPBACK, found);
      found.close();
      expect(errnoOf(() => programById(0x7fffffff))).toBe("ENOENT");
    });

    it("hold the maps of an anchor as long as it is attached, and no longer", async () => {
      const map = BpfMap.create(HASH);
      map.set(key(1), value(7));
      const anchor = loadAnchor([map, maps.ports, maps.settings], "sluice_anchor");
      expect(new Set(anchor.mapIds)).toEqual(new Set([map.id, maps.ports.id, maps.settings.id]));
      attachEgress(LOOPBACK, anchor);
      map.close();
      anchor.close();
      // Long enough for the kernel to free what nobody holds.
      await wait(300);
      const found = programById(ids()[0]!);
      expect(found.name).toBe("sluice_anchor");
      const again = BpfMap.byId(map.id);
      expect(again.get(key(1))).toEqual(new Uint8Array(value(7)));
      again.close();
      detachEgress(LOOPBACK, found);
      found.close();
      await expect.poll(() => errnoOf(() => BpfMap.byId(map.id).close()), PATIENCE).toBe("ENOENT");
    });

    it("close once: a number that is another's by then stays open", () => {
      const program = flowProgram();
      program.close();
      const map = BpfMap.create(HASH);
      expect(map.fd).toBe(program.fd);
      program.close();
      map.set(key(1), value(1));
      map.close();
      expect(() => closeSync(program.fd)).toThrow("EBADF");
    });

    it("are refused with the verifier's words", () => {
      // A hash in the place of the settings has no value at a fixed address.
      const wrong = { ...maps, settings: maps.servers };
      expect(() => loadFlowProgram(wrong, { linkHeader: 14, name: "sluice_wrong" })).toThrow(KernelError);
      const short = BpfMap.create({ ...maps.ports.shape, valueLength: 8 });
      try {
        loadFlowProgram({ ...maps, ports: short }, { linkHeader: 14, name: "sluice_wrong" });
        expect.unreachable();
      } catch (error) {
        expect(error).toMatchObject({ code: "KERNEL_REFUSED", detail: { errno: "EACCES" } });
        expect(String((error as Error).cause)).toContain("invalid access to map value");
      }
      short.close();
    });
  });

  it("says that this machine can do it, and leaves nothing", async () => {
    const before = queryEgress(LOOPBACK).programIds;
    expect(await probeEbpf()).toEqual({ outcome: "supported", evidence: "" });
    expect(queryEgress(LOOPBACK).programIds).toEqual(before);
  });
});
