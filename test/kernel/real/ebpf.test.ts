import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { BpfMap } from "../../../src/kernel/ebpf/bpf-map.js";
import { type LoadedProgram, loadAnchor, programById } from "../../../src/kernel/ebpf/bpf-program.js";
import { openEbpfKernel } from "../../../src/kernel/ebpf/open.js";
import { attachEgress, detachEgress, queryEgress } from "../../../src/kernel/ebpf/tcx.js";
import type { LinuxKernel } from "../../../src/kernel/linux.js";
import type { DesiredState, KernelEvent, ObservedState } from "../../../src/kernel/port.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { octets } from "../../../src/model/units.js";
import type { FlowCounters } from "../../../src/model/usage.js";
import { describeKernelContract, reconcile } from "../contract.js";
import { desired, flow, flow6, link, pool, remark } from "../fixtures.js";
import { inOwnNamespace, run } from "./namespace.js";

const LOOPBACK = 1;
const FLOW_PROGRAM = "sluice_flow";
const ANCHOR = "sluice_anchor";

const open = (table = "sluice_test", maxFlows = 4096): Promise<LinuxKernel> =>
  openEbpfKernel({ table, log: SILENT_LOGGER, maxFlows });

const ip = (command: string): Promise<string> => run("ip", ...command.split(" "));
const plug = (name: string): Promise<string> => ip(`link add ${name} type veth peer name p-${name}`);
const unplug = (name: string): Promise<string> => ip(`link del ${name}`);

async function indexOf(name: string): Promise<number> {
  const [found] = JSON.parse(await ip(`-json link show dev ${name}`)) as readonly { readonly ifindex: number }[];
  return found!.ifindex;
}

function programsAt(ifindex: number): readonly LoadedProgram[] {
  return queryEgress(ifindex).programIds.map((id) => {
    const program = programById(id);
    program.close();
    return program;
  });
}

const namesAt = (ifindex: number): readonly string[] => programsAt(ifindex).map(({ name }) => name);
const namesOf = async (device: string): Promise<readonly string[]> => namesAt(await indexOf(device));

/** A map that the anchor of the only table holds. */
function withMap<Result>(name: string, work: (map: BpfMap) => Result): Result {
  const ids = programsAt(LOOPBACK).find((program) => program.name === ANCHOR)!.mapIds;
  const maps = ids.map((id) => BpfMap.byId(id));
  try {
    return work(maps.find((map) => map.shape.name === name)!);
  } finally {
    for (const map of maps) map.close();
  }
}

const first = new Uint8Array(4);

async function anyKey(name: string): Promise<Uint8Array> {
  const ids = programsAt(LOOPBACK).find((program) => program.name === ANCHOR)!.mapIds;
  for (const id of ids) {
    const map = BpfMap.byId(id);
    try {
      if (map.shape.name !== name) continue;
      for await (const { keys } of map.batches()) return keys.slice(0, map.shape.keyLength);
    } finally {
      map.close();
    }
  }
  throw new Error(`nothing in ${name}`);
}

const used: FlowCounters = {
  inProfile: { packets: 7, octets: octets(1400) },
  outOfProfile: { packets: 2, octets: octets(400) },
};

inOwnNamespace(import.meta.url, () => {
  describe("with two interfaces", () => {
    beforeAll(async () => {
      await run("ip", "link", "add", "wan0", "type", "veth", "peer", "name", "lan0");
    });
    describeKernelContract(
      "eBPF",
      async () => ({
        kernel: await open(),
        interfaces: [link("wan0"), link("lan0", 100_000)],
        reopen: () => open(),
      }),
      { sourcePortAlone: true, tunnels: false, aggregates: false },
    );
  });

  describe("programs and maps in the kernel", () => {
    let kernel: LinuxKernel;
    const wanted: DesiredState = desired([flow(1), flow6(2, { outOfProfile: remark(36) })], {
      interfaces: [link("wan1"), link("wan2", 50_000)],
      pools: [pool(1), pool(2, 300)],
    });
    const settled = async (state = wanted): Promise<ObservedState> => {
      await reconcile(kernel, state);
      const observed = await kernel.read();
      expect(kernel.plan(state, observed)).toEqual([]);
      return observed;
    };
    const expectBroken = async (): Promise<void> => {
      expect(kernel.plan(wanted, await kernel.read())).toContainEqual({ kind: "structure" });
      await settled();
    };

    beforeEach(async () => {
      await plug("wan1");
      await plug("wan2");
      kernel = await open();
    });
    afterEach(async () => {
      await kernel.cleanup();
      await kernel.close();
      for (const name of ["wan1", "wan2", "old1"]) await unplug(name).catch(() => undefined);
      expect(namesAt(LOOPBACK)).toEqual([]);
    });

    it("says what it uses", () => {
      expect(kernel.backend.name).toBe("ebpf");
      expect(kernel.backend.detail).toContain("tcx");
      expect(kernel.backend.detail).toContain("HTB");
    });

    it("are one anchor, and one program at each managed interface", async () => {
      await settled();
      expect(namesAt(LOOPBACK)).toEqual([ANCHOR]);
      expect([await namesOf("wan1"), await namesOf("wan2"), await namesOf("p-wan1")]).toEqual([
        [FLOW_PROGRAM],
        [FLOW_PROGRAM],
        [],
      ]);
      await kernel.cleanup();
      expect([namesAt(LOOPBACK), await namesOf("wan1"), await namesOf("wan2")]).toEqual([[], [], []]);
    });

    it("are attached to an interface when it appears, and again when it comes back", async () => {
      await unplug("wan2");
      await settled();
      for (const _ of [1, 2]) {
        await plug("wan2");
        expect(kernel.plan(wanted, await kernel.read())).toEqual([{ kind: "structure" }]);
        await settled();
        expect(await namesOf("wan2")).toEqual([FLOW_PROGRAM]);
        await unplug("wan2");
        expect(await kernel.read()).toMatchObject({ structure: true });
      }
    });

    it("leave an interface that was renamed away or is no longer managed", async () => {
      await settled();
      await ip("link set wan1 name old1");
      expect((await kernel.read()).structure).toBe(false);
      await settled();
      expect(await namesOf("old1")).toEqual([]);
      await settled({ ...wanted, interfaces: [] });
      expect(await namesOf("wan2")).toEqual([]);
    });

    it("leave programs of others where they are", async () => {
      const theirs = loadAnchor([], "theirs");
      // A name is nobody's own: whose a program is is said by its settings.
      const namesake = loadAnchor([], FLOW_PROGRAM);
      const devices = [LOOPBACK, await indexOf("wan1"), await indexOf("p-wan1")];
      for (const device of devices) for (const program of [theirs, namesake]) attachEgress(device, program);
      const before = devices.map((device) => queryEgress(device).programIds);
      const others = (): unknown =>
        devices.map((device) => queryEgress(device).programIds.filter((id) => [theirs.id, namesake.id].includes(id)));
      await settled();
      expect(others()).toEqual(before);
      expect(queryEgress(devices[1]!).programIds).toHaveLength(3);
      await settled({ ...wanted, signalling: [] });
      expect(others()).toEqual(before);
      await kernel.cleanup();
      expect(devices.map((device) => queryEgress(device).programIds)).toEqual(before);
      for (const device of devices) for (const program of [theirs, namesake]) detachEgress(device, program);
      for (const program of [theirs, namesake]) program.close();
    });

    it("of two tables stand side by side", async () => {
      const second = await open("other");
      const others = desired([flow(1, { session: "fedcba9876543210" as never })], {
        interfaces: [link("p-wan1")],
        pools: [pool(9)].map((entry) => ({ ...entry, id: 1 })),
      });
      await settled();
      await reconcile(second, others);
      expect(second.plan(others, await second.read())).toEqual([]);
      await settled();
      expect(namesAt(LOOPBACK)).toEqual([ANCHOR, ANCHOR]);
      await kernel.cleanup();
      expect((await kernel.read()).flows.size).toBe(0);
      expect(second.plan(others, await second.read())).toEqual([]);
      await settled();
      await second.cleanup();
      await second.close();
      expect((await kernel.read()).structure).toBe(true);
    });

    it("are found again without the anchor, with flows and counters, and get another", async () => {
      await settled();
      await kernel.apply(wanted, [
        { kind: "flow.remove", rule: flow(1) },
        { kind: "flow.add", rule: flow(1), counters: used },
      ]);
      await kernel.close();
      const [anchor] = programsAt(LOOPBACK);
      const program = programById(anchor!.id);
      detachEgress(LOOPBACK, program);
      program.close();
      kernel = await open();
      const observed = await kernel.read();
      expect(observed.structure).toBe(false);
      expect(observed.flows.get(1)).toEqual({ rule: flow(1), counters: used });
      await expect(kernel.apply(wanted, [{ kind: "flow.add", rule: flow(3) }])).rejects.toMatchObject({
        code: "KERNEL_REFUSED",
        detail: { errno: "ENOENT" },
      });
      const mended = await settled();
      expect(mended.flows.get(1)?.counters).toEqual(used);
      expect(namesAt(LOOPBACK)).toEqual([ANCHOR]);
    });

    it("that went altogether are seen to be gone, and made again", async () => {
      await settled();
      const second = await open();
      await second.cleanup();
      await second.close();
      await expect(kernel.apply(wanted, [{ kind: "flow.remove", rule: flow(1) }])).rejects.toMatchObject({
        detail: { errno: "ENOENT" },
      });
      expect(await kernel.read()).toMatchObject({ structure: false, flows: new Map() });
      await settled();
    });

    it("are mended when somebody changed them", async () => {
      await settled();
      const wan1 = await indexOf("wan1");
      const program = programById(queryEgress(wan1).programIds[0]!);
      detachEgress(wan1, program);
      program.close();
      await expectBroken();
      withMap("sluice_settings", (map) => map.set(first, withMark(map.get(first)!)));
      await expectBroken();
      const server = await anyKey("sluice_servers");
      withMap("sluice_servers", (map) => expect(map.take(server)).toBeDefined());
      await expectBroken();
      const word = new Uint8Array(4);
      new DataView(word.buffer).setUint32(0, 20_001 >> 6, true);
      withMap("sluice_ports", (map) => map.set(word, new Uint8Array(32)));
      await expectBroken();
      withMap("sluice_flows4", (map) => map.set(new Uint8Array(16).fill(1), new Uint8Array(112)));
      await expectBroken();
      withMap("sluice_state", (map) => map.set(first, new Uint8Array(map.shape.valueLength)));
      await expectBroken();
    });

    it("keep flows and counters when the limit of flows is another", async () => {
      await settled();
      await kernel.apply(wanted, [
        { kind: "flow.remove", rule: flow(1) },
        { kind: "flow.add", rule: flow(1), counters: used },
      ]);
      await kernel.close();
      kernel = await open("sluice_test", 64);
      expect((await kernel.read()).structure).toBe(false);
      const observed = await settled();
      expect(observed.flows.get(1)?.counters).toEqual(used);
      withMap("sluice_flows4", (map) => expect(map.shape.maxEntries).toBe(64));
      expect([namesAt(LOOPBACK), await namesOf("wan1")]).toEqual([[ANCHOR], [FLOW_PROGRAM]]);
    });

    it("refuse more flows than there is room for, and carry the others on", async () => {
      await kernel.close();
      kernel = await open("sluice_test", 4);
      const flows = [1, 2, 3, 4].map((id) => flow(id));
      const state = { ...wanted, flows: new Map(flows.map((rule) => [rule.id, rule])) };
      await settled(state);
      await expect(kernel.apply(state, [{ kind: "flow.add", rule: flow(5) }])).rejects.toMatchObject({
        code: "KERNEL_REFUSED",
        message: expect.stringContaining("flow 5"),
        detail: { errno: "E2BIG" },
        remedy: expect.stringContaining("limit of flows"),
      });
      expect(kernel.plan(state, await kernel.read())).toEqual([]);
    });

    it("are watched, also after a restart: what others do at the interfaces is told, what we do is not", async () => {
      await settled();
      await kernel.close();
      kernel = await open();
      await settled();
      const events: KernelEvent[] = [];
      const watch = await kernel.watch((event) => events.push(event));
      const told = async (): Promise<readonly string[]> => {
        expect(await watch.caughtUp()).toBe(true);
        return events.splice(0).map(({ kind }) => kind);
      };
      await vi.waitFor(async () => expect(await told()).toEqual([]));
      const theirs = loadAnchor([], "theirs");
      attachEgress(await indexOf("wan2"), theirs);
      expect(await told()).toContain("ruleset");
      detachEgress(await indexOf("wan2"), theirs);
      expect(await told()).toContain("ruleset");
      theirs.close();
      await settled({ ...wanted, signalling: [] });
      await settled();
      expect((await told()).filter((kind) => kind === "ruleset")).toEqual([]);
      const wan1 = await indexOf("wan1");
      const program = programById(queryEgress(wan1).programIds[0]!);
      detachEgress(wan1, program);
      program.close();
      await vi.waitFor(() => expect(events.map(({ kind }) => kind)).toContain("ruleset"), { timeout: 5000 });
      await settled();
      await watch.close();
    });

    it("are told as lines, and nothing is done", async () => {
      const changes = kernel.plan(wanted, await kernel.read());
      const steps = (await kernel.render(wanted, changes)).filter(({ tool }) => tool === "bpf");
      expect(steps.map(({ input }) => input).join("")).toContain("attach sluice_flow to wan1 egress link header 14\n");
      expect((await kernel.read()).structure).toBe(false);
      expect(namesAt(LOOPBACK)).toEqual([]);
      await settled();
      const cleanup = await kernel.renderCleanup();
      expect(cleanup.find(({ tool }) => tool === "bpf")?.input.match(/^detach program \d+ from /gm)).toHaveLength(3);
      expect((await kernel.read()).structure).toBe(true);
    });
  });
});

/** Another class for what is not in profile. */
function withMark(settings: Uint8Array): Uint8Array {
  const changed = Uint8Array.from(settings);
  changed[4] = 1;
  return changed;
}
