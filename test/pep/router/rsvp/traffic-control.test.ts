import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KernelError } from "../../../../src/model/errors.js";
import { SILENT_LOGGER } from "../../../../src/model/log.js";
import { bitsPerSecond, dscp, octets } from "../../../../src/model/units.js";
import type { ReservedClass } from "../../../../src/pep/router/rsvp/reserved-pools.js";
import { tspecOf } from "../../../../src/pep/router/rsvp/sizes.js";
import { TrafficControl } from "../../../../src/pep/router/rsvp/traffic-control.js";
import { phbIdOf } from "../../../../src/rsvp/codec/keys.js";
import type { FilterSpec } from "../../../../src/rsvp/codec/objects.js";
import { aggregateSession } from "../../../../src/rsvp/machine/aggregate.js";
import type { NodeEvent } from "../../../../src/rsvp/machine/events.js";
import type { ReservationRef } from "../../../../src/rsvp/machine/keys.js";
import { settle } from "../../../support/fake-clock.js";
import { EF, wanted } from "./three-nodes.js";

const NO_BANDWIDTH = { admit: false, error: { code: 1, value: 2 } };

/** 14 octets more for every 200. */
const atLink = (rate: number): number => Math.ceil((rate * 214) / 200);
const EF_CLASS = "rsvp-r2-dscp-46";

class Bench {
  readonly verdicts: unknown[] = [];
  /** Classes that the kernel has. */
  readonly held = new Map<string, ReservedClass>();
  /** What happened, in order. */
  readonly story: string[] = [];
  refuse = false;
  /** Set: the kernel answers when it is called. */
  #gates: (() => void)[] | undefined;
  readonly control = new TrafficControl({
    rooms: new Map([
      ["r2", bitsPerSecond(1e6)],
      ["r3", bitsPerSecond(1e6)],
    ]),
    classes: {
      reserve: async (wanted) => {
        await this.#turn();
        if (this.refuse) throw new KernelError("KERNEL_REFUSED", "no", { operation: "apply" });
        this.held.set(wanted.name, wanted);
        this.story.push(`${wanted.name} ${wanted.rate}`);
      },
      release: async (name) => {
        await this.#turn();
        this.held.delete(name);
        this.story.push(`${name} gone`);
      },
    },
    linkOverhead: octets(14),
    isOwn: (address) => address === "10.9.9.9",
    log: SILENT_LOGGER,
    tell: (event: NodeEvent) => {
      if (event.type !== "admission") return;
      this.verdicts.push(event.verdict);
      this.story.push(event.verdict.admit ? "yes" : "no");
    },
  });

  slow(): void {
    this.#gates = [];
  }

  async letOne(): Promise<void> {
    this.#gates?.shift()?.();
    await settle();
  }

  async #turn(): Promise<void> {
    const gates = this.#gates;
    if (gates !== undefined) await new Promise<void>((resolve) => gates.push(resolve));
  }

  rates(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.held].map(([name, { rate }]) => [name, rate]));
  }

  async ask(ref: ReservationRef, rate: number, filters: readonly FilterSpec[]): Promise<unknown> {
    const flowspec = { kind: "controlledLoad", tspec: tspecOf(wanted(rate)) } as const;
    const rest = { entryPolicing: false, mergePolicing: false, style: "FF" } as const;
    this.control.reserve({ do: "reserve", ref, id: 1, flowspec, filters, ...rest });
    await settle();
    return this.verdicts.at(-1);
  }

  reserve(sender: string, rate: number, name = "r2"): Promise<unknown> {
    return this.ask(refOf(sender, name), rate, [{ address: sender }]);
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
    await settle();
    expect(bench.story.at(-1)).toBe(`${EF_CLASS} gone`);
  });

  it("has no room on an interface that the configuration does not name", async () => {
    expect(await new Bench().reserve("10.1.0.1", 8000, "eth9")).toEqual(NO_BANDWIDTH);
  });

  it("makes no class where the aggregate begins", async () => {
    const bench = new Bench();
    expect(await bench.reserve("10.9.9.9", 400_000)).toEqual({ admit: true });
    bench.control.release(refOf("10.9.9.9"));
    await settle();
    expect(bench.held.size).toBe(0);
  });

  it("says no when the kernel does, and counts what was before", async () => {
    const bench = new Bench();
    await bench.reserve("10.1.0.1", 400_000);
    bench.refuse = true;
    expect(await bench.reserve("10.1.0.1", 800_000)).toEqual({ admit: false, error: { code: 22, value: 0 } });
    expect(await bench.reserve("10.1.0.2", 200_000)).toEqual({ admit: false, error: { code: 22, value: 0 } });
    expect(bench.control.reserved("r2")).toBe(400_000);
  });
});

describe("classes of what passes", () => {
  it("are one for each interface and code point, as large as the reservations together", async () => {
    const bench = new Bench();
    await bench.reserve("10.1.0.1", 400_000);
    await bench.reserve("10.1.0.2", 200_000);
    await bench.reserve("10.1.0.1", 100_000, "r3");
    expect(bench.rates()).toEqual({ [EF_CLASS]: atLink(600_000), "rsvp-r3-dscp-46": atLink(100_000) });
    expect(bench.held.get(EF_CLASS)).toMatchObject({ only: "r2", carries: [{ by: "codePoint", dscp: 46 }] });
    bench.control.release(refOf("10.1.0.1"));
    await settle();
    expect(bench.rates()).toEqual({ [EF_CLASS]: atLink(200_000), "rsvp-r3-dscp-46": atLink(100_000) });
  });

  it("are raised before the answer, and lowered after it", async () => {
    const bench = new Bench();
    await bench.reserve("10.1.0.1", 400_000);
    await bench.reserve("10.1.0.1", 600_000);
    await bench.reserve("10.1.0.1", 200_000);
    expect(bench.story).toEqual([
      `${EF_CLASS} ${atLink(400_000)}`,
      "yes",
      `${EF_CLASS} ${atLink(600_000)}`,
      "yes",
      "yes",
      `${EF_CLASS} ${atLink(200_000)}`,
    ]);
  });

  it("are asked for again where the answer to the first is not there yet", async () => {
    const bench = new Bench();
    bench.slow();
    await bench.reserve("10.1.0.1", 400_000);
    await bench.reserve("10.1.0.1", 400_000);
    expect(bench.story).toEqual([]);
    await bench.letOne();
    await bench.letOne();
    expect(bench.story.filter((each) => each === "yes")).toHaveLength(2);
    expect(bench.rates()).toEqual({ [EF_CLASS]: atLink(400_000) });
  });

  it("lose the share of one that the kernel refused, though another was added meanwhile", async () => {
    const bench = new Bench();
    await bench.reserve("10.1.0.3", 100_000);
    bench.slow();
    bench.refuse = true;
    await bench.reserve("10.1.0.1", 400_000);
    await bench.reserve("10.1.0.2", 200_000);
    await bench.letOne();
    expect(bench.story.at(-1)).toBe("no");
    bench.refuse = false;
    for (let turn = 0; turn < 3; turn += 1) await bench.letOne();
    expect(bench.rates()).toEqual({ [EF_CLASS]: atLink(100_000) + atLink(200_000) });
    expect(bench.control.reserved("r2")).toBe(300_000);
  });

  it("are whatever the reservations come to, after any story", async () => {
    const step = fc.record({
      sender: fc.integer({ min: 1, max: 4 }),
      rate: fc.option(fc.integer({ min: 1, max: 400 }), { nil: undefined }),
      refuse: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
        const bench = new Bench();
        const shares = new Map<number, number>();
        for (const { sender, rate, refuse } of steps) {
          bench.refuse = refuse && rate !== undefined;
          if (rate === undefined) {
            bench.control.release(refOf(`10.1.0.${sender}`));
            shares.delete(sender);
            await settle();
          } else {
            const verdict = await bench.reserve(`10.1.0.${sender}`, rate * 1000);
            if ((verdict as { admit: boolean }).admit) shares.set(sender, rate * 1000);
          }
        }
        // What was refused while a class had to become smaller is made up for by the next change.
        bench.refuse = false;
        await bench.reserve("10.1.0.9", 8000);
        bench.control.release(refOf("10.1.0.9"));
        await settle();
        const sum = [...shares.values()].reduce((all, each) => all + atLink(each), 0);
        expect(bench.rates()).toEqual(sum === 0 ? {} : { [EF_CLASS]: sum });
      }),
      { numRuns: 60 },
    );
  });

  it("hold generic aggregates of a PHB with the others, and all of an AF class together", async () => {
    const bench = new Bench();
    const generic = (phbId: number, port: number): ReservationRef => ({
      session: {
        kind: "genericAggregate",
        destination: "10.3.0.1",
        phbId,
        vDstPort: port,
        extendedVDstPort: "10.1.0.1",
        ePolice: false,
      },
      interface: "r2",
      flow: "10.1.0.1",
    });
    const from = [{ address: "10.1.0.1" }];
    await bench.reserve("10.1.0.1", 100_000);
    expect(await bench.ask(generic(phbIdOf(EF), 1), 200_000, from)).toEqual({ admit: true });
    await bench.ask(generic(phbIdOf(dscp(12)), 1), 80_000, from);
    // RFC 3140 §2: bit 14 makes it the set of AF1x.
    await bench.ask(generic(phbIdOf(dscp(10)) | 2, 2), 80_000, from);
    expect(bench.rates()).toEqual({
      [EF_CLASS]: atLink(100_000) + atLink(200_000),
      "rsvp-r2-dscp-10": 2 * atLink(80_000),
    });
    const carried = bench.held.get("rsvp-r2-dscp-10")?.carries ?? [];
    expect(carried.map((match) => match.by === "codePoint" && match.dscp)).toEqual([10, 12, 14]);
    expect(await bench.ask(generic(0x1231, 3), 8000, from)).toEqual({ admit: false, error: { code: 21, value: 2 } });
  });

  it("are by themselves for single sessions, told by their five-tuple", async () => {
    const bench = new Bench();
    const plain: ReservationRef = {
      session: { kind: "ip", destination: "2001:db8::2", protocol: 17, port: 4789, ePolice: false },
      interface: "r2",
      flow: "2001:db8::1 50000",
    };
    await bench.ask(plain, 100_000, [{ address: "2001:db8::1", port: 50_000 }]);
    expect([...bench.held.values()]).toEqual([
      {
        name: "rsvp-r2-ip-2001:db8::2-17-4789-2001:db8::1-50000",
        only: "r2",
        rate: atLink(100_000),
        carries: [
          {
            by: "flow",
            protocol: 17,
            source: { address: "2001:db8::1", port: 50_000 },
            destination: { address: "2001:db8::2", port: 4789 },
          },
        ],
      },
    ]);
  });
});
