import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { PathFinding } from "../../../src/stamp/machine/session-sender.js";
import { type Fate, SimulatedPath } from "./path.js";

const times = (count: number, fate: Fate = {}): Fate[] => Array.from({ length: count }, () => fate);

const NOBODY: Fate = { out: "lost" };
const lossOf = ({ sent, out, in: back }: PathFinding) => ({ sent, out: out.lost, in: back.lost });

/** Short rows of losses, which can be told apart by direction. */
const someLoss = fc
  .array(fc.constantFrom<Fate>({}, {}, { out: "lost" }, { in: "lost" }), { maxLength: 60 })
  .map((fates) => fates.flatMap((fate, index) => (index % 8 === 0 ? [{}, fate] : [fate])));

const lostIn = (fates: readonly Fate[]) => {
  return {
    sent: fates.length,
    out: fates.filter(({ out }) => out === "lost").length,
    in: fates.filter(({ in: back }) => back === "lost").length,
  };
};

describe("packets that were sent before anybody answered", () => {
  it("are lost as long as there is no answer", () => {
    expect(lossOf(new SimulatedPath().send(...times(50, NOBODY)).collect())).toEqual({ sent: 50, out: 50, in: 0 });
  });

  it("are forgotten with the first answer, however many they were, and what is lost after it counts", () => {
    fc.assert(
      fc.property(fc.nat(100), someLoss, (before, after) => {
        const path = new SimulatedPath().send(...times(before, NOBODY), {}, ...after, ...times(3));
        expect(lossOf(path.collect())).toEqual(lostIn([{}, ...after, {}, {}, {}]));
      }),
    );
  });

  it("are forgotten as well if they are of the report in which the first answer comes", () => {
    const path = new SimulatedPath().send(...times(40, NOBODY));
    expect(path.sender.collect(path.now)).toMatchObject({ sent: 21, out: { lost: 21 } });
    path.send(...times(10, NOBODY));
    expect(lossOf(path.send({}, {}).collect())).toEqual({ sent: 2, out: 0, in: 0 });
  });

  it("count if their own answer comes, though that of a later one came first", () => {
    const path = new SimulatedPath().send(NOBODY, { in: 300 }, NOBODY, {}, {});
    expect(lossOf(path.collect())).toEqual({ sent: 3, out: 0, in: 0 });
    expect(path.verdicts).toEqual(["first", "first", "first"]);
  });

  it("are no start of the reflector's again", () => {
    const path = new SimulatedPath().send(...times(20, NOBODY), ...times(20));
    path.collect();
    expect(path.send(...times(20)).sender.restarts).toBe(0);
  });
});

describe("packets that were sent while the reflector was started again", () => {
  it("are forgotten with its first answer; what was lost before it stopped and after it came again counts", () => {
    fc.assert(
      fc.property(someLoss, fc.nat(60), someLoss, (before, away, after) => {
        const path = new SimulatedPath().send(...times(200));
        path.collect();
        path.send(...before, {}, ...times(away, NOBODY));
        path.restartReflector().send({}, ...after, ...times(3));
        const found = lossOf(path.collect());
        const expected = lostIn([...before, {}, {}, ...after, {}, {}, {}]);
        // Numbers of answers that were lost right before are not comparable any more: their direction is not known.
        expect({ sent: found.sent, lost: found.out + found.in }).toEqual({
          sent: expected.sent,
          lost: expected.out + expected.in,
        });
        expect(path.sender.restarts).toBe(1);
      }),
    );
  });

  it("stay what was said of them before it came again", () => {
    const path = new SimulatedPath().send(...times(200));
    path.collect();
    path.send(...times(40, NOBODY));
    expect(path.sender.collect(path.now)).toMatchObject({ sent: 21, out: { lost: 21 } });
    expect(lossOf(path.restartReflector().send({}, {}).collect())).toEqual({ sent: 2, out: 0, in: 0 });
  });

  it("count as lost when the reflector goes on with its numbers: the path was away, and not the program", () => {
    const path = new SimulatedPath().send(...times(200));
    path.collect();
    expect(lossOf(path.send(...times(40, NOBODY), {}, {}).collect())).toEqual({ sent: 42, out: 40, in: 0 });
  });
});

it("keeps the times of packets that are under way for the report that tells of them", () => {
  const path = new SimulatedPath().send({});
  expect(path.sender.collect(path.now)).toMatchObject({ sent: 0 });
  const { sent, out } = path.collect();
  expect(sent).toBe(1);
  expect(out.latency).toBeCloseTo(10, 2);
});
