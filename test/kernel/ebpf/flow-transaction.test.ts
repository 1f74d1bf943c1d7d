import { describe, expect, it } from "vitest";
import { encodeFlowKey } from "../../../src/kernel/ebpf/flow-key.js";
import { FlowTransaction, type FlowWriter, SLICE } from "../../../src/kernel/ebpf/flow-transaction.js";
import { countersAt, decodeFlow, withCounters } from "../../../src/kernel/ebpf/flow-value.js";
import { viewOf } from "../../../src/kernel/ebpf/host-octets.js";
import { PortCounts, PortWords } from "../../../src/kernel/ebpf/port-words.js";
import type { FlowRule } from "../../../src/kernel/port.js";
import { KernelError } from "../../../src/model/errors.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { dscp, octets } from "../../../src/model/units.js";
import type { FlowCounters } from "../../../src/model/usage.js";
import { flow, flow6 } from "../fixtures.js";

const MAX_FLOWS = 8;

/** Hash and array maps as the kernel keeps them, of which the n-th writing may be refused. */
class Kernel {
  readonly flows = { 4: new Map<string, Uint8Array>(), 6: new Map<string, Uint8Array>() };
  readonly words = new Map<string, Uint8Array>();
  /** The writing that is refused, counted from 1. */
  refused = 0;
  writes = 0;
  maxFlows = MAX_FLOWS;
  /** Told of every writing, after it. */
  observe: () => void = () => undefined;

  map(family: 4 | 6): ReturnType<FlowWriter["map"]> {
    const entries = this.flows[family];
    const text = (key: Uint8Array): string => Buffer.from(key).toString("hex");
    return {
      get: (key) => entries.get(text(key)),
      set: (key, value, mode = "any") => {
        const there = entries.has(text(key));
        if (mode === "new" && there) throw refusal("EEXIST");
        if (mode === "existing" && !there) throw refusal("ENOENT");
        if (!there && entries.size >= this.maxFlows) throw refusal("E2BIG");
        this.#write(() => entries.set(text(key), Uint8Array.from(value)));
      },
      take: (key) => {
        const value = entries.get(text(key));
        if (value !== undefined) this.#write(() => entries.delete(text(key)));
        return value;
      },
    };
  }

  readonly ports = {
    get: (key: Uint8Array): Uint8Array | undefined => this.words.get(Buffer.from(key).toString("hex")),
    set: (key: Uint8Array, value: Uint8Array): void =>
      this.#write(() => this.words.set(Buffer.from(key).toString("hex"), value)),
  };

  #write(work: () => unknown): void {
    this.writes += 1;
    if (this.writes === this.refused) throw refusal("ENOMEM");
    work();
    this.observe();
  }

  /** Rule and counters of every flow, by id, and the bits of all ports. */
  contents(): { readonly flows: readonly unknown[]; readonly words: readonly unknown[] } {
    const flows = ([4, 6] as const).flatMap((family) =>
      [...this.flows[family]].map(([key, values]) => decodeFlow({ family, keys: Buffer.from(key, "hex"), values })),
    );
    const words = [...this.words].filter(([, word]) => word.some((octet) => octet !== 0));
    return {
      flows: flows.sort((left, right) => left!.rule.id - right!.rule.id),
      words: words.sort(([left], [right]) => left.localeCompare(right)),
    };
  }

  count(rule: FlowRule, packets: number): void {
    const { family, octets: key } = encodeFlowKey(rule.key);
    const text = Buffer.from(key).toString("hex");
    const value = this.flows[family].get(text)!;
    const { inProfile, outOfProfile } = countersAt(viewOf(value));
    const more = { packets: inProfile.packets + packets, octets: octets(inProfile.octets + packets * 200) };
    this.flows[family].set(text, withCounters(value, { inProfile: more, outOfProfile }));
  }
}

const refusal = (errno: string): KernelError =>
  new KernelError("KERNEL_REFUSED", `set: ${errno}`, { operation: "set", errno });

const used = (packets: number): FlowCounters => ({
  inProfile: { packets, octets: octets(packets * 200) },
  outOfProfile: { packets: 0, octets: octets(0) },
});

class Subject {
  readonly kernel = new Kernel();
  readonly #writer: FlowWriter;

  constructor(maxFlows = MAX_FLOWS) {
    this.kernel.maxFlows = maxFlows;
    this.#writer = {
      map: (family) => this.kernel.map(family),
      ports: new PortWords(this.kernel.ports, new PortCounts()),
      sizes: { 4: 0, 6: 0 },
      maxFlows,
      log: SILENT_LOGGER,
    };
  }

  /** Rules and counters, by id. */
  flows(): unknown {
    return this.kernel.contents().flows;
  }

  get sizes(): FlowWriter["sizes"] {
    return this.#writer.sizes;
  }

  change(removes: readonly FlowRule[], adds: readonly FlowRule[]): Promise<ReadonlyMap<number, FlowCounters>> {
    return new FlowTransaction(this.#writer).apply(
      removes,
      adds.map((rule) => ({ rule })),
    );
  }
}

describe("a transaction of flows", () => {
  it("sets, replaces and takes, and gives the final counters", async () => {
    const subject = new Subject();
    await subject.change([], [flow(1), flow6(2), flow(3)]);
    for (const [rule, packets] of [
      [flow(1), 5],
      [flow6(2), 7],
    ] as const)
      subject.kernel.count(rule, packets);
    const resized = flow(1, { dscp: dscp(34) });
    const finals = await subject.change([flow(1), flow6(2)], [resized, flow(4)]);
    expect(finals).toEqual(
      new Map([
        [1, used(5)],
        [2, used(7)],
      ]),
    );
    const fresh = new Subject();
    await fresh.change([], [resized, flow(3), flow(4)]);
    expect(subject.kernel.contents()).toEqual(fresh.kernel.contents());
    expect(subject.sizes).toEqual({ 4: 3, 6: 0 });
  });

  it("leaves no moment without an entry for a key that is passed on", async () => {
    const subject = new Subject();
    await subject.change([], [flow(1)]);
    const { octets: key } = encodeFlowKey(flow(1).key);
    let least = 1;
    subject.kernel.observe = () => {
      least = Math.min(least, subject.kernel.flows[4].has(Buffer.from(key).toString("hex")) ? 1 : 0);
    };
    await subject.change([flow(1)], [flow(9, { key: flow(1).key })]);
    expect(least).toBe(1);
  });

  it("has a port's bit before the flow and as long as the flow", async () => {
    const subject = new Subject();
    const check = (): void => {
      const ports = subject.kernel.flows[4].size + subject.kernel.flows[6].size;
      const bits = [...subject.kernel.words.values()].reduce((sum, word) => sum + bitsIn(word), 0);
      expect(bits).toBeGreaterThanOrEqual(ports);
    };
    subject.kernel.observe = check;
    await subject.change([], [flow(1), flow(2), flow(70)]);
    await subject.change([flow(1), flow(70)], [flow(3)]);
    expect([...subject.kernel.words.values()].reduce((sum, word) => sum + bitsIn(word), 0)).toBe(2);
  });

  it("leaves everything as it was, whichever writing is refused", async () => {
    const removes = [flow(1), flow6(2)];
    const adds = [
      flow(1, { dscp: dscp(10) }),
      flow(5),
      flow6(6),
      flow(7, { key: { ...flow(7).key, protocol: "tcp" } }),
    ];
    const prepare = async (): Promise<Subject> => {
      const subject = new Subject();
      await subject.change([], [flow(1), flow6(2), flow(3)]);
      subject.kernel.count(flow(1), 3);
      subject.kernel.count(flow6(2), 4);
      subject.kernel.writes = 0;
      return subject;
    };
    const whole = await prepare();
    await whole.change(removes, adds);
    const { writes } = whole.kernel;
    const errors: unknown[] = [];
    for (let refused = 1; refused <= writes; refused += 1) {
      const subject = await prepare();
      const before = subject.kernel.contents();
      subject.kernel.refused = refused;
      const error: unknown = await subject.change(removes, adds).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      if (error === undefined) {
        // A port's bit that could not be cleared does no harm.
        expect(subject.flows()).toEqual(whole.flows());
        continue;
      }
      errors.push(error);
      expect(subject.kernel.contents(), `writing ${refused} of ${writes}`).toEqual(before);
      expect(subject.sizes).toEqual({ 4: 2, 6: 1 });
    }
    // One replaced, three set with their ports, one taken.
    expect(errors).toHaveLength(8);
    for (const error of errors) {
      expect(error).toMatchObject({
        code: "KERNEL_REFUSED",
        message: expect.stringMatching(/flow \d+ \(/),
        detail: { errno: "ENOMEM" },
      });
    }
  });

  it("counts on what packets did until it was undone", async () => {
    const subject = new Subject();
    await subject.change([], [flow(1)]);
    subject.kernel.count(flow(1), 3);
    subject.kernel.observe = () => {
      subject.kernel.observe = () => undefined;
      subject.kernel.count(flow(1), 2);
    };
    const resized = flow(1, { dscp: dscp(10) });
    await expect(subject.change([flow(1)], [resized, resized])).rejects.toMatchObject({ detail: { errno: "EEXIST" } });
    expect(subject.flows()).toEqual([{ rule: flow(1), counters: used(5) }]);
  });

  it.each([
    ["a key that is taken", [], [flow(9, { key: flow(1).key })], "EEXIST", "flow 9"],
    ["the same key twice", [], [flow(8), flow(9, { key: flow(8).key })], "EEXIST", "flow 9"],
    ["a flow that is not there", [flow(9)], [flow(8)], "ENOENT", "flow 9"],
    ["another flow in its place", [flow(9, { key: flow(1).key })], [flow(8)], "ENOENT", "flow 9"],
    ["another flow where it should be replaced", [flow(9, { key: flow(1).key })], [flow(1)], "ENOENT", "flow 9"],
  ] as const)("refuses %s and changes nothing", async (_, removes, adds, errno, object) => {
    const subject = new Subject();
    await subject.change([], [flow(1), flow(2)]);
    subject.kernel.count(flow(1), 3);
    const before = subject.kernel.contents();
    await expect(subject.change(removes, adds)).rejects.toMatchObject({
      code: "KERNEL_REFUSED",
      message: expect.stringContaining(object),
      detail: { errno },
    });
    expect(subject.kernel.contents()).toEqual(before);
  });

  it("fills a map to the last entry, and has what goes make room for what comes", async () => {
    const subject = new Subject();
    const full = Array.from({ length: MAX_FLOWS }, (_, at) => flow(at + 1));
    await subject.change([], full);
    await expect(subject.change([], [flow(99)])).rejects.toMatchObject({
      detail: { errno: "E2BIG" },
      remedy: expect.stringContaining("limit of flows"),
    });
    const finals = await subject.change([flow(1)], [flow(99)]);
    expect([...finals.keys()]).toEqual([1]);
    expect(subject.sizes).toEqual({ 4: MAX_FLOWS, 6: 0 });
  });

  it("lets the event loop have its turns among very many", async () => {
    const subject = new Subject(100_000);
    const many = Array.from({ length: 20_000 }, (_, at) => flow(at % 40_000, { id: at + 1 }));
    let turns = 0;
    const timer = setInterval(() => {
      turns += 1;
    }, 1);
    await subject.change([], many);
    clearInterval(timer);
    expect(subject.sizes[4]).toBe(20_000);
    // A timer that is due every millisecond is served in most of these slices.
    expect(turns).toBeGreaterThan(many.length / SLICE / 4);
  });
});

function bitsIn(word: Uint8Array): number {
  return word.reduce((sum, octet) => sum + octet.toString(2).replaceAll("0", "").length, 0);
}
