/** Refreshes, lifetimes and local repair: RFC 2205 §3.6, §3.7. */
import { describe, expect, it } from "vitest";
import type { Millis } from "../../../src/model/units.js";
import { sessionKey } from "../../../src/rsvp/codec/keys.js";
import type { SessionMessage } from "../../../src/rsvp/codec/message.js";
import { genericAggregateSession } from "../../../src/rsvp/machine/aggregate.js";
import type { NodeAction } from "../../../src/rsvp/machine/events.js";
import { DEFAULT_RULES, lifetime, nextPeriod, refreshDelay } from "../../../src/rsvp/machine/rules.js";
import type { SessionState } from "../../../src/rsvp/machine/state.js";
import { A, B, type Network, open, reserve, SESSION, threeNodes, tspec } from "./network.js";

const LATE = 0.999_999;
const LIFETIME = 157_500;

function settled(random = 0.5): Network {
  const network = threeNodes();
  network.random = () => random;
  open(network, 1000);
  network.run(100);
  reserve(network, 1000);
  network.run(100);
  return network;
}

const held = (network: Network): number[] => [network.admitted("A", "T"), network.admitted("T", "B")];

/** Loses the next `count` messages of a kind from a node. */
function lose(network: Network, kind: SessionMessage["kind"], from: string, count: number): void {
  let left = count;
  network.fate = (message, sender) => {
    const lost = message.kind === kind && sender === from && left > 0;
    if (lost) left -= 1;
    return { delays: lost ? [] : [1] };
  };
}

describe("time parameters (§3.7)", () => {
  it("lifetime is (K + 0.5) · 1.5 · R, of a period that can be believed", () => {
    expect(lifetime(DEFAULT_RULES, 30_000 as Millis)).toBe(LIFETIME);
    expect(lifetime(DEFAULT_RULES, 0 as Millis)).toBe(5.25 * DEFAULT_RULES.peerPeriodMin);
    expect(lifetime(DEFAULT_RULES, 0xffffffff as Millis)).toBe(5.25 * DEFAULT_RULES.peerPeriodMax);
  });

  it("refreshes come between half and one and a half of the period", () => {
    expect([refreshDelay(30_000 as Millis, 0), refreshDelay(30_000 as Millis, 0.5)]).toEqual([15_000, 30_000]);
    expect(refreshDelay(30_000 as Millis, LATE)).toBeLessThan(45_000);
  });

  it("the period grows by Slew.Max a refresh, and shrinks at once", () => {
    const rules = { ...DEFAULT_RULES, refreshPeriod: 40_000 as Millis };
    expect(nextPeriod(rules, 30_000 as Millis)).toBe(39_000);
    expect(nextPeriod(rules, 39_000 as Millis)).toBe(40_000);
    expect(nextPeriod(rules, 90_000 as Millis)).toBe(40_000);
  });

  it("a longer period is announced step by step", () => {
    const network = settled();
    network.event("A", { type: "refreshPeriod", period: 60_000 as Millis });
    const start = network.now;
    network.run(300_000);
    const periods = network.sent
      .filter(({ from, at, action }) => from === "A" && at > start && action.message.kind === "Path")
      .map(({ action }) => (action.message.kind === "Path" ? action.message.refreshPeriod : 0));
    expect(periods.slice(0, 4)).toEqual([39_000, 50_700, 60_000, 60_000]);
  });
});

describe("soft state (§2.3)", () => {
  it("is refreshed for as long as its ends want it", () => {
    const network = settled();
    network.run(3_600_000);
    expect(held(network)).toEqual([1000, 1000]);
    // Once every 30 s on average by each of the two nodes that send it.
    expect(network.kinds("A").filter((kind) => kind === "Path").length).toBeLessThan(130);
    expect(network.notices("A")).toHaveLength(1);
  });

  it.each(["Path", "Resv"] as const)("survives the loss of two %ss in a row at the slowest rate", (kind) => {
    const network = settled(LATE);
    const from = kind === "Path" ? "A" : "B";
    lose(network, kind, from, 2);
    network.run(300_000);
    expect(held(network)).toEqual([1000, 1000]);
    expect(network.sent.filter(({ action }) => action.message.kind.endsWith("Tear"))).toEqual([]);
  });

  it("without Resvs ends at its lifetime, upstream too", () => {
    const network = settled(LATE);
    const last = network.sent.filter(({ from, action }) => from === "B" && action.message.kind === "Resv").at(-1)?.at;
    lose(network, "Resv", "B", 3);
    network.run(LIFETIME + (last ?? 0) - network.now);
    expect(held(network)).toEqual([1000, 1000]);
    // One millisecond to each node.
    network.run(2);
    expect(held(network)).toEqual([0, 0]);
    expect(network.kinds("T").filter((kind) => kind === "ResvTear")).toHaveLength(1);
  });

  it("without Paths ends at its lifetime, downstream too", () => {
    const network = settled();
    network.fate = (_message, from) => ({ delays: from === "A" ? [] : [1] });
    network.run(LIFETIME + 100);
    for (const name of ["T", "B"]) expect([...network.host(name).node.sessions()], name).toEqual([]);
    expect(network.admitted("T", "B")).toBe(0);
    expect(network.notices("B").at(-1)).toMatchObject({ what: "pathLost" });
  });

  it("is gone everywhere after a lifetime of silence", () => {
    const network = settled();
    network.fate = () => ({ delays: [] });
    network.run(LIFETIME);
    expect(held(network)).toEqual([0, 0]);
    expect([...network.host("T").node.sessions()]).toEqual([]);
  });

  it("is repaired by the next refresh when a tear is lost", () => {
    const network = settled();
    lose(network, "ResvTear", "T", 1);
    network.event("B", { type: "release", session: SESSION });
    network.run(100);
    expect(held(network)).toEqual([1000, 0]);
    network.run(LIFETIME);
    expect(held(network)).toEqual([0, 0]);
  });
});

describe("the timer", () => {
  it("is set again when it fires too early", () => {
    const network = settled();
    const { due } = network.host("T");
    expect(network.event("T", { type: "due" })).toEqual([{ do: "schedule", at: due }]);
  });
});

describe("local repair (§3.6)", () => {
  function detour(): Network {
    const network = settled();
    network.add("U");
    network.link("A", "10.0.3.1", "U", "10.0.3.254");
    network.link("U", "10.0.4.254", "B", "10.0.4.2");
    network.host("U").routes.set(B, "B").set(A, "A");
    return network;
  }

  it("sends Paths along the new route after W, and the reservation follows at once", () => {
    const network = detour();
    const start = network.now;
    network.route("A", B, "U");
    network.run(1999);
    expect(network.kinds("A", start)).toEqual([]);
    network.run(100);
    expect(network.kinds("A", start)).toEqual(["Path"]);
    expect([network.admitted("A", "U"), network.admitted("U", "B")]).toEqual([1000, 1000]);
  });

  it("lets the reservations of the old route time out", () => {
    const network = detour();
    network.route("A", B, "U");
    network.run(LIFETIME + 60_000);
    expect(held(network)).toEqual([0, 0]);
    expect([network.admitted("A", "U"), network.admitted("U", "B")]).toEqual([1000, 1000]);
  });

  it("ends what was reserved on an interface that is lost, and makes it anew when it is back", () => {
    const network = settled();
    network.event("T", { type: "interfaceLost", name: "B" });
    network.run(100);
    expect(held(network)).toEqual([0, 0]);
    network.event("T", {
      type: "interface",
      interface: { name: "B", addresses: ["10.0.2.254"], lih: 2, mtu: 1500 as never },
    });
    network.run(60_000);
    expect(held(network)).toEqual([1000, 1000]);
  });
});

describe("cost", () => {
  const thousand = (): { network: Network; refresh: (index: number) => readonly NodeAction[] } => {
    const network = threeNodes();
    const refresh = (index: number): readonly NodeAction[] => {
      network.random = () => (index * 0.37) % 1;
      return network.event("T", {
        type: "received",
        arrival: { interface: "A", source: A, ttl: 64, sendTtl: 64 },
        message: {
          kind: "Path",
          session: genericAggregateSession(B, A, 0xb800, index),
          hop: { address: A, lih: 1 },
          refreshPeriod: 30_000 as Millis,
          policy: [],
          sender: { template: { address: A }, tspec: tspec(1000) },
          unknown: [],
        },
      });
    };
    for (let index = 0; index < 1000; index += 1) refresh(index);
    network.run(100);
    return { network, refresh };
  };
  const states = (network: Network): Map<string, SessionState> =>
    new Map([...network.host("T").node.sessions()].map((state) => [sessionKey(state.session), state]));

  it("of a message is one session, and a refresh says nothing", () => {
    const { network, refresh } = thousand();
    const before = states(network);
    expect(refresh(500)).toEqual([]);
    const after = states(network);
    expect(before.size).toBe(1000);
    expect([...after].filter(([key, state]) => state !== before.get(key))).toHaveLength(1);
  });

  it("of a timer is what is due", () => {
    const { network } = thousand();
    const host = network.host("T");
    network.run(host.due - network.now - 1);
    const before = states(network);
    network.run(1);
    const changed = [...states(network)].filter(([key, state]) => state !== before.get(key));
    expect(changed.length).toBeGreaterThan(0);
    expect(changed.length).toBeLessThan(10);
    expect(host.due).toBeGreaterThan(network.now);
  });
});
