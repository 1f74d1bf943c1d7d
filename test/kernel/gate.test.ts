import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Gate } from "../../src/kernel/gate.js";

const pause = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("the gate before the kernel", () => {
  it("lets shared work in together and exclusive work alone, in the order of the calls", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ exclusive: fc.boolean(), turns: fc.nat(3), fails: fc.boolean() }), { maxLength: 20 }),
        async (works) => {
          const gate = new Gate();
          const inside = new Set<number>();
          const begun: number[] = [];
          const results = works.map(({ exclusive, turns, fails }, id) => {
            const work = async (): Promise<number> => {
              begun.push(id);
              inside.add(id);
              const alone = [...inside].every((other) => other === id || !(exclusive || works[other]?.exclusive));
              expect(alone).toBe(true);
              for (let turn = 0; turn < turns; turn++) await pause();
              inside.delete(id);
              if (fails) throw new RangeError(`${id}`);
              return id;
            };
            return exclusive ? gate.exclusive(work) : gate.shared(work);
          });
          const settling = Promise.allSettled(results);
          await gate.idle();
          const settled = await settling;
          expect(begun).toEqual(works.map((_, id) => id));
          expect(settled.map(({ status }) => status === "rejected")).toEqual(works.map(({ fails }) => fails));
        },
      ),
      { numRuns: 50 },
    );
  });

  it("begins shared work within the call", () => {
    let begun = false;
    const work = new Gate().shared(async () => {
      begun = true;
    });
    expect(begun).toBe(true);
    return work;
  });
});
