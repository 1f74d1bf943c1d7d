import { describe, it } from "vitest";
import { FakeKernel } from "../../../src/kernel/fake.js";
import { millis } from "../../../src/model/units.js";
import { LOCAL } from "./bench.js";
import { expectParallelAsSequence } from "./concurrency.js";

describe("a thousand decisions at once", () => {
  it("end as one after the other", () => expectParallelAsSequence(new FakeKernel(), LOCAL));

  it("do so in any order of decisions, with a slow kernel and readings in between", async () => {
    for (let seed = 2; seed < 5; seed += 1) {
      const kernel = new FakeKernel();
      kernel.slow(millis(1));
      kernel.slowReads(millis(20));
      const during = (): void => kernel.emit({ kind: "ruleset" });
      await expectParallelAsSequence(kernel, LOCAL, { count: 300, seed, during });
    }
  });
});
