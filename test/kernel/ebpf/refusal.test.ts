/** What the back end refuses before it touches anything: nothing here needs a right. */
import { describe, expect, it } from "vitest";
import { EbpfClassifier } from "../../../src/kernel/ebpf/ebpf-classifier.js";
import { linkHeaderOf } from "../../../src/kernel/ebpf/link-header.js";
import { type EbpfKernelOptions, openEbpfKernel } from "../../../src/kernel/ebpf/open.js";
import { type ChangeSteps, stepsOf } from "../../../src/kernel/plan.js";
import type { DesiredState, KernelChange } from "../../../src/kernel/port.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { octets } from "../../../src/model/units.js";
import { desired, flow } from "../fixtures.js";

function refuse(wanted: DesiredState, ...changes: readonly KernelChange[]): void {
  const devices = async () => [];
  const options = { table: "sluice", maxFlows: 16, detail: "", devices };
  const steps: ChangeSteps = stepsOf(changes);
  new EbpfClassifier(options, SILENT_LOGGER).refuse(wanted, steps);
}

const unsupported = (object: string): unknown =>
  expect.objectContaining({
    code: "KERNEL_UNSUPPORTED",
    message: expect.stringContaining(object),
    remedy: expect.stringContaining("nftables"),
  });

describe("the eBPF classifier", () => {
  it("refuses tunnels and flows in them", () => {
    expect(() => refuse(desired([]), { kind: "flow.add", rule: flow(4, { tunnel: 1 }) })).toThrow(
      unsupported("flow 4 ("),
    );
    const tunnel = {
      id: 1,
      name: "core",
      kind: "vxlan",
      local: "203.0.113.1",
      remote: "203.0.113.2",
      sourcePort: 50_000,
      destinationPort: 4789,
      mtu: octets(1450),
    } as const;
    expect(() => refuse(desired([]), { kind: "tunnel.set", tunnel })).toThrow(unsupported("tunnel core"));
    expect(() => refuse(desired([]), { kind: "flow.add", rule: flow(4) })).not.toThrow();
  });

  it("refuses more servers than the map takes", () => {
    const servers = Array.from({ length: 4097 }, (_, at) => `10.0.${at >> 8}.${at & 0xff}`);
    const wanted = (addresses: readonly string[]): DesiredState =>
      desired([], { signalling: [{ protocol: "udp", port: 5060, servers: addresses }] });
    expect(() => refuse(wanted(servers.slice(1)), { kind: "structure" })).not.toThrow();
    expect(() => refuse(wanted(servers), { kind: "structure" })).toThrow(unsupported("signalling"));
  });
});

describe("link headers", () => {
  it("are those of Ethernet, or none", () => {
    expect([1, 512, 65_534, 772, 778].map(linkHeaderOf)).toEqual([14, 0, 0, undefined, undefined]);
  });
});

describe("opening the eBPF back end", () => {
  const open = (options: Partial<EbpfKernelOptions>): Promise<unknown> =>
    openEbpfKernel({ log: SILENT_LOGGER, probe: async () => ({ outcome: "supported", evidence: "" }), ...options });

  it.each([
    ["missing in kernel", "Linux 6.6"],
    ["missing in tool", "koffi"],
    ["unknown", "root"],
  ] as const)("is refused where the probe says it is %s", async (outcome, remedy) => {
    await expect(open({ probe: async () => ({ outcome, evidence: "so it says" }) })).rejects.toMatchObject({
      code: "KERNEL_UNSUPPORTED",
      message: expect.stringContaining("so it says"),
      remedy: expect.stringContaining(remedy),
    });
  });

  it("is refused for names and limits that cannot be", async () => {
    await expect(open({ table: "1st" })).rejects.toMatchObject({ code: "KERNEL_TABLE_NAME" });
    for (const maxFlows of [0, 1.5, 1_000_001])
      await expect(open({ maxFlows })).rejects.toMatchObject({ code: "KERNEL_LIMIT" });
  });
});
