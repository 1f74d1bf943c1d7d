import { describe, expect, it } from "vitest";
import { KernelError } from "../../../../src/model/errors.js";
import { SILENT_LOGGER } from "../../../../src/model/log.js";
import { bitsPerSecond, octets } from "../../../../src/model/units.js";
import { tspecOf } from "../../../../src/pep/router/rsvp/sizes.js";
import { nameOf, TrafficControl } from "../../../../src/pep/router/rsvp/traffic-control.js";
import { aggregateSession } from "../../../../src/rsvp/machine/aggregate.js";
import type { NodeEvent } from "../../../../src/rsvp/machine/events.js";
import { settle } from "../../../support/fake-clock.js";
import { EF, wanted } from "./three-nodes.js";

const NO_BANDWIDTH = { admit: false, error: { code: 1, value: 2 } };

class Bench {
  readonly verdicts: unknown[] = [];
  readonly made: string[] = [];
  refuse = false;
  readonly control = new TrafficControl({
    rooms: new Map([["r2", bitsPerSecond(1e6)]]),
    classes: {
      reserve: (name, rate) => {
        if (this.refuse) return Promise.reject(new KernelError("KERNEL_REFUSED", "no", { operation: "apply" }));
        this.made.push(`${name} ${rate}`);
        return Promise.resolve();
      },
      release: (name) => Promise.resolve(void this.made.push(`${name} gone`)),
    },
    linkOverhead: octets(14),
    isOwn: (address) => address === "10.9.9.9",
    log: SILENT_LOGGER,
    tell: (event: NodeEvent) => {
      if (event.type === "admission") this.verdicts.push(event.verdict);
    },
  });

  async reserve(sender: string, rate: number, name = "r2"): Promise<unknown> {
    const flowspec = { kind: "controlledLoad", tspec: tspecOf(wanted(rate)) } as const;
    this.control.reserve({
      do: "reserve",
      ref: refOf(sender, name),
      id: 1,
      flowspec,
      style: "FF",
      filters: [{ address: sender }],
      entryPolicing: false,
      mergePolicing: false,
    });
    await settle();
    return this.verdicts.at(-1);
  }
}

const refOf = (sender: string, name = "r2") => ({
  session: aggregateSession("10.3.0.1", EF),
  interface: name,
  flow: sender,
});

describe("admission to an interface", () => {
  it("fills the room exactly and refuses what is beyond it", async () => {
    const bench = new Bench();
    expect(await bench.reserve("10.1.0.1", 600_000)).toEqual({ admit: true });
    expect(await bench.reserve("10.1.0.2", 400_001)).toEqual(NO_BANDWIDTH);
    expect(await bench.reserve("10.1.0.2", 400_000)).toEqual({ admit: true });
    expect(bench.control.reserved("r2")).toBe(1e6);
    expect(await bench.reserve("10.1.0.3", 8)).toEqual(NO_BANDWIDTH);
  });

  it("counts a change as a change, lets every reduction through, and forgets what is released", async () => {
    const bench = new Bench();
    await bench.reserve("10.1.0.1", 900_000);
    expect(await bench.reserve("10.1.0.1", 1e6)).toEqual({ admit: true });
    expect(await bench.reserve("10.1.0.1", 1_000_008)).toEqual(NO_BANDWIDTH);
    expect(bench.control.reserved("r2")).toBe(1e6);
    expect(await bench.reserve("10.1.0.1", 500_000)).toEqual({ admit: true });
    bench.control.release(refOf("10.1.0.1"));
    expect(bench.control.reserved("r2")).toBe(0);
    expect(bench.made.at(-1)).toBe(`${nameOf(refOf("10.1.0.1"))} gone`);
  });

  it("has no room on an interface that the configuration does not name", async () => {
    expect(await new Bench().reserve("10.1.0.1", 8000, "eth9")).toEqual(NO_BANDWIDTH);
  });

  it("makes no class where the aggregate begins", async () => {
    const bench = new Bench();
    expect(await bench.reserve("10.9.9.9", 400_000)).toEqual({ admit: true });
    bench.control.release(refOf("10.9.9.9"));
    expect(bench.made).toEqual([]);
  });

  it("says no when the kernel does, and counts what was before", async () => {
    const bench = new Bench();
    await bench.reserve("10.1.0.1", 400_000);
    bench.refuse = true;
    expect(await bench.reserve("10.1.0.1", 800_000)).toEqual({ admit: false, error: { code: 22, value: 0 } });
    expect(await bench.reserve("10.1.0.2", 200_000)).toEqual({ admit: false, error: { code: 22, value: 0 } });
    expect(bench.control.reserved("r2")).toBe(400_000);
  });

  it("names classes so that the kernel can hold the name, also of two long addresses", () => {
    const long = "fd01:2345:6789:abcd:ef01:2345:6789:abcd";
    const ref = { session: aggregateSession(long, EF), interface: "a-long-name-0", flow: long };
    expect(nameOf(refOf("10.1.0.1"))).toBe("rsvp-r2-aggregate-10.3.0.1-46-10.1.0.1");
    expect(encodeURIComponent(nameOf(ref)).length).toBeLessThanOrEqual(80);
    expect(nameOf(ref)).not.toBe(nameOf({ ...ref, interface: "a-long-name-1" }));
  });
});
