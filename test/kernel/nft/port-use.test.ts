import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ElementChange } from "../../../src/kernel/netlink/nf-tables.js";
import type { SetElement } from "../../../src/kernel/netlink/set-element.js";
import { ensurePorts, missingPorts, PortUse, type PresentPorts } from "../../../src/kernel/nft/port-use.js";
import type { FlowRule } from "../../../src/kernel/port.js";
import { octets } from "../../../src/model/units.js";
import { flow } from "../fixtures.js";

const at = (id: number, port: number, kind: "plain" | "tight" | "any" = "plain"): FlowRule => {
  const { source, destination, protocol } = flow(id).key;
  const key = {
    protocol,
    source: { ...source, port: kind === "any" ? undefined : source.port },
    destination: { ...destination, port },
  };
  return flow(id, { key, ...(kind === "tight" ? { packetSize: octets(200) } : {}) });
};

const named = (changes: readonly ElementChange[]): readonly string[] =>
  changes.map(({ action, set, element }) => `${action} ${set} ${element.key.readUInt16BE()}`).sort();

/** The sets as the kernel would hold them. */
class Sets {
  readonly names = new Set<string>();

  apply(changes: readonly ElementChange[]): void {
    for (const { action, set, element } of changes) {
      const name = `${set} ${element.key.readUInt16BE()}`;
      if (action === "delete") expect(this.names.delete(name)).toBe(true);
      else this.names.add(name);
    }
  }

  present(): PresentPorts {
    const found = new Map<string, SetElement[]>();
    for (const name of this.names) {
      const [set = "", port] = name.split(" ");
      const key = Buffer.alloc(2);
      key.writeUInt16BE(Number(port));
      found.set(set, [...(found.get(set) ?? []), { key }]);
    }
    return found;
  }
}

describe("blocks of ports in use", () => {
  it("are of 16 ports, in a set for each kind of flow", () => {
    expect(named(ensurePorts([at(1, 4000), at(2, 4015), at(3, 4016, "tight"), at(4, 65535, "any")]))).toEqual([
      "ensure ports 4000",
      "ensure ports 4016",
      "ensure ports 65520",
      "ensure ports_any 65520",
      "ensure ports_tight 4016",
    ]);
  });

  it("are missing where a flow has none", () => {
    const sets = new Sets();
    sets.apply(ensurePorts([at(1, 4000)]));
    expect(named(missingPorts([at(1, 4001), at(2, 4001, "any")], sets.present()))).toEqual(["ensure ports_any 4000"]);
  });

  it("are ensured until they are known to be there", () => {
    const use = new PortUse();
    expect(named(use.begin([at(1, 4000)]))).toEqual(["ensure ports 4000"]);
    expect(named(use.begin([at(2, 4001)]))).toEqual(["ensure ports 4000"]);
    use.end(false, [at(1, 4000)], []);
    use.end(true, [at(2, 4001)], []);
    expect(use.begin([at(3, 4002)])).toEqual([]);
    use.forget();
    expect(named(use.begin([at(3, 4002)]))).toEqual(["ensure ports 4000"]);
  });

  it("are not given up before the flows were counted", () => {
    const use = new PortUse();
    use.begin([at(1, 4000)]);
    use.end(true, [at(1, 4000)], []);
    use.begin([]);
    use.end(true, [], [at(1, 4000)]);
    expect(use.takeIdle()).toEqual([]);
    const sets = new Sets();
    sets.apply(ensurePorts([at(1, 4000)]));
    use.take(use.mark(), [], sets.present());
    expect(named(use.takeIdle())).toEqual(["delete ports 4000"]);
    expect(use.takeIdle()).toEqual([]);
  });

  it("are never gone under a flow, whatever fails, overlaps, or is read meanwhile", () => {
    const action = fc.record({
      kind: fc.constantFrom("add", "remove", "end", "fail", "mark", "take", "idle"),
      id: fc.integer({ min: 1, max: 6 }),
    });
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
        const rules = new Map(
          [1, 2, 3, 4, 5, 6].map((id) => [id, at(id, 4000 + 8 * id, id % 3 === 0 ? "any" : "plain")]),
        );
        const use = new PortUse();
        const sets = new Sets();
        const kernel = new Map<number, FlowRule>();
        const pending: { adds: FlowRule[]; removes: FlowRule[]; committed: boolean }[] = [];
        let mark = use.mark();
        let seen: readonly FlowRule[] = [];
        for (const { kind, id } of actions) {
          const rule = rules.get(id)!;
          if (kind === "add" || kind === "remove") {
            // The kernel takes transactions in the order of their calls, and refuses what cannot be.
            const change = kind === "add" ? { adds: [rule], removes: [] } : { adds: [], removes: [rule] };
            const blocks = use.begin(change.adds);
            const committed = (kind === "add") !== kernel.has(id);
            if (committed) {
              sets.apply(blocks);
              if (kind === "add") kernel.set(id, rule);
              else kernel.delete(id);
            }
            pending.push({ ...change, committed });
          } else if (kind === "end") {
            const oldest = pending.shift();
            if (oldest !== undefined) use.end(oldest.committed, oldest.adds, oldest.removes);
          } else if (kind === "mark") {
            mark = use.mark();
            seen = [...kernel.values()];
          } else if (kind === "take") use.take(mark, seen, sets.present());
          else if (kind === "idle") sets.apply(use.takeIdle());
          else use.forget();
          expect(missingPorts(kernel.values(), sets.present())).toEqual([]);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
