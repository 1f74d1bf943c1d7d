/** What must hold whatever happens between three nodes, with loss, delay, reordering and duplication. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { FlowDescriptors } from "../../../src/rsvp/codec/message.js";
import type { Flowspec, Style } from "../../../src/rsvp/codec/objects.js";
import { A, load, type Network, open, SESSION, threeNodes } from "./network.js";

type Op =
  | { readonly op: "open"; readonly rate: number }
  | { readonly op: "close" }
  | { readonly op: "want"; readonly rate: number }
  | { readonly op: "release" }
  | { readonly op: "resize"; readonly at: "A" | "T"; readonly room: number }
  | { readonly op: "lost"; readonly at: "A" | "T" | "B" }
  | { readonly op: "reroute" };

interface Turn {
  readonly op: Op;
  /** Milliseconds before the next. */
  readonly wait: number;
}

const rate = fc.integer({ min: 1, max: 20 }).map((thousands) => thousands * 1000);
const op: fc.Arbitrary<Op> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ op: fc.constant("open" as const), rate }) },
  { weight: 4, arbitrary: fc.record({ op: fc.constant("want" as const), rate }) },
  { weight: 1, arbitrary: fc.constant({ op: "close" as const }) },
  { weight: 1, arbitrary: fc.constant({ op: "release" as const }) },
  {
    weight: 2,
    arbitrary: fc.record({ op: fc.constant("resize" as const), at: fc.constantFrom("A", "T"), room: rate }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("lost" as const), at: fc.constantFrom("A", "T", "B") }) },
  { weight: 1, arbitrary: fc.constant({ op: "reroute" as const }) },
);
const turn: fc.Arbitrary<Turn> = fc.record({
  op,
  wait: fc.oneof(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 60_000 })),
});
const scenario = fc.record({
  turns: fc.array(turn, { maxLength: 25, size: "max" }),
  style: fc.constantFrom<Style>("FF", "SE", "WF"),
  seed: fc.integer({ min: 1, max: 0x7fffffff }),
  loss: fc.double({ min: 0, max: 0.5, noNaN: true }),
  final: rate,
});
type Scenario = typeof scenario extends fc.Arbitrary<infer Value> ? Value : never;

/** Numbers in [0, 1) that are the same for the same seed. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 0x1_0000_0000;
  };
}

const flowsOf = (style: Style, flowspec: Flowspec): FlowDescriptors => {
  const filter = { address: A };
  if (style === "WF") return { style, flowspec };
  return style === "SE" ? { style, flowspec, filters: [filter] } : { style, flows: [{ filter, flowspec }] };
};

/** Three nodes and a receiver that reserves what it wants whenever a Path arrives. */
class Run {
  readonly network: Network = threeNodes();
  readonly #style: Style;
  opened: number | undefined;
  wanted: number | undefined;
  #seen = 0;

  constructor({ seed, loss, style }: Scenario) {
    this.#style = style;
    const random = numbers(seed);
    const { network } = this;
    network.random = random;
    network.admissionDelay = () => Math.floor(random() * 30);
    network.fate = () => {
      const copies = random() < loss ? 0 : random() < 0.1 ? 2 : 1;
      return { delays: Array.from({ length: copies }, () => 1 + Math.floor(random() * random() * 400)) };
    };
    for (const [name, iface] of [
      ["A", "T"],
      ["T", "B"],
    ] as const) {
      network.resize(name, iface, 20_000);
    }
  }

  do({ op: next, wait }: Turn): void {
    this.#apply(next);
    this.pass(wait);
  }

  pass(milliseconds: number): void {
    const end = this.network.now + milliseconds;
    while (this.network.now < end) {
      this.network.run(Math.min(500, end - this.network.now));
      this.#receiver();
    }
  }

  calm(): void {
    this.network.fate = () => ({ delays: [1] });
  }

  reserve(): void {
    if (this.wanted === undefined) return;
    this.network.event("B", { type: "reserve", session: SESSION, flows: flowsOf(this.#style, load(this.wanted)) });
  }

  #receiver(): void {
    const { notices } = this.network.host("B");
    const fresh = notices.slice(this.#seen);
    this.#seen = notices.length;
    for (const { notice } of fresh) {
      if (notice.what === "preempted") this.wanted = Math.min(this.wanted ?? 0, notice.granted.tspec.rate);
      if (notice.what === "pathArrived" || notice.what === "preempted") this.reserve();
    }
  }

  #apply(next: Op): void {
    const { network } = this;
    switch (next.op) {
      case "open":
        this.opened = next.rate;
        open(network, next.rate);
        return;
      case "close":
        this.opened = undefined;
        network.event("A", { type: "close", session: SESSION, template: { address: A } });
        return;
      case "want":
        this.wanted = next.rate;
        this.reserve();
        return;
      case "release":
        this.wanted = undefined;
        network.event("B", { type: "release", session: SESSION });
        return;
      case "resize":
        network.resize(next.at, next.at === "A" ? "T" : "B", next.room);
        return;
      case "lost": {
        const name = next.at === "T" ? "B" : "T";
        const address = { A, T: "10.0.2.254", B: "10.0.2.2" }[next.at];
        network.event(next.at, { type: "interfaceLost", name });
        const lih = next.at === "T" ? 2 : 1;
        network.event(next.at, {
          type: "interface",
          interface: { name, addresses: [address], lih, mtu: 1500 as never },
        });
        return;
      }
      case "reroute":
        network.route("A", "10.0.2.2", "nowhere");
        network.route("A", "10.0.2.2", "T");
    }
  }

  get admitted(): number[] {
    return [this.network.admitted("A", "T"), this.network.admitted("T", "B")];
  }
}

/** Ten refresh periods: more than a lifetime and the blockades before it. */
const QUIET = 300_000;

describe("three nodes under any sequence of events", () => {
  it("agree along the path after quiet time, and what is believed was always admitted", () => {
    fc.assert(
      fc.property(scenario, (what) => {
        const run = new Run(what);
        for (const each of what.turns) run.do(each);
        run.calm();
        for (const [name, iface] of [
          ["A", "T"],
          ["T", "B"],
        ] as const) {
          run.network.resize(name, iface, 20_000);
        }
        run.pass(QUIET);
        run.do({ op: { op: "want", rate: what.final }, wait: QUIET });
        const expected = run.opened === undefined ? 0 : Math.min(run.opened, what.final);
        expect(run.admitted).toEqual([expected, expected]);
        for (const [name, iface] of [
          ["A", "T"],
          ["T", "B"],
        ] as const) {
          expect(run.network.host(name).node.reserved(iface)).toBe(expected);
        }
      }),
      { numRuns: 75 },
    );
  });

  it.each(["tears", "silence"] as const)("leave nothing after %s", (how) => {
    fc.assert(
      fc.property(scenario, (what) => {
        const run = new Run(what);
        for (const each of what.turns) run.do(each);
        if (how === "tears") {
          run.do({ op: { op: "close" }, wait: 0 });
          run.calm();
        } else {
          run.network.fate = () => ({ delays: [] });
        }
        run.pass(158_500);
        run.network.event("A", { type: "close", session: SESSION, template: { address: A } });
        for (const [name, host] of run.network.hosts) {
          expect([...host.node.sessions()], name).toEqual([]);
          expect(host.installed.size, name).toBe(0);
          expect(host.due, name).toBe(Number.POSITIVE_INFINITY);
        }
      }),
      { numRuns: 100 },
    );
  });
});
