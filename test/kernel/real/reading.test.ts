/** Readings beside installs and removals that run flat out: a flow is found as it was made, or not at all. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type LinuxKernel, openLinuxKernel } from "../../../src/kernel/linux.js";
import { sameRule } from "../../../src/kernel/plan.js";
import type { FlowId, FlowRule, KernelChange, ObservedState } from "../../../src/kernel/port.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { kilobitsPerSecond } from "../../../src/model/units.js";
import { reconcile } from "../contract.js";
import { desired, flow } from "../fixtures.js";
import { inOwnNamespace } from "./namespace.js";

/** Enough that a dump takes many parts, with commits between them. */
const STEADY = 3000;
const CALLERS = 16;
const FLOWS = 4;
const READINGS = 25;
/** Far more than a reading takes, far less than one that chases the changes would. */
const LONGEST_MS = 10_000;

inOwnNamespace(import.meta.url, () => {
  describe("readings beside changes", () => {
    let kernel: LinuxKernel;
    const steady = Array.from({ length: STEADY }, (_, index) => flow(index + 1));
    const state = desired(steady);
    beforeEach(async () => {
      kernel = await openLinuxKernel({ table: "sluice_reading", log: SILENT_LOGGER, maxFlows: 16_384 });
      await reconcile(kernel, state);
    });
    afterEach(async () => {
      await kernel.cleanup();
      await kernel.close();
    });

    /** The key of `key`, in the name of `id`. */
    const churned = (id: FlowId, key: FlowId): FlowRule => ({ ...flow(key), id, rate: kilobitsPerSecond(64) });
    const idsOf = (caller: number, round: number): readonly FlowId[] =>
      Array.from({ length: FLOWS }, (_, n) => 10_000 + (caller * 2 + (round % 2)) * FLOWS + n);
    const keysOf = (caller: number): readonly FlowId[] =>
      Array.from({ length: FLOWS }, (_, n) => 10_000 + caller * 2 * FLOWS + n);

    /** Comes, hands its keys over to other flows, and goes. */
    async function churn(caller: number, goesOn: () => boolean): Promise<number> {
      const of = (round: number): readonly FlowRule[] =>
        idsOf(caller, round).map((id, n) => churned(id, keysOf(caller)[n] ?? 0));
      const change = (kind: "flow.add" | "flow.remove", rules: readonly FlowRule[]): readonly KernelChange[] =>
        rules.map((rule) => ({ kind, rule }));
      let calls = 0;
      for (; goesOn(); calls += 3) {
        await kernel.apply(state, change("flow.add", of(0)));
        await kernel.apply(state, [...change("flow.remove", of(0)), ...change("flow.add", of(1))]);
        await kernel.apply(state, change("flow.remove", of(1)));
      }
      return calls;
    }

    function expectTrue({ structure, flows }: ObservedState): void {
      expect(structure).toBe(true);
      const missing = steady.filter(({ id }) => !flows.has(id)).map(({ id }) => id);
      expect(missing).toEqual([]);
      for (const { rule } of flows.values()) {
        const { id } = rule;
        const key = id < 10_000 ? id : (keysOf(Math.floor((id - 10_000) / FLOWS / 2))[(id - 10_000) % FLOWS] ?? 0);
        expect(sameRule(rule, id < 10_000 ? flow(id) : churned(id, key)), `flow ${id}`).toBe(true);
      }
    }

    it("find every flow that stays, no flow that never was, and the structure intact", async () => {
      let goesOn = true;
      const callers = Array.from({ length: CALLERS }, (_, caller) => churn(caller, () => goesOn));
      let sawChanges = 0;
      try {
        for (let reading = 0; reading < READINGS; reading++) {
          const begun = performance.now();
          const observed = await kernel.read();
          expect(performance.now() - begun).toBeLessThan(LONGEST_MS);
          expectTrue(observed);
          if (observed.flows.size > STEADY) sawChanges++;
        }
      } finally {
        goesOn = false;
        await Promise.all(callers);
      }
      // Else it was no test.
      expect(sawChanges).toBeGreaterThan(READINGS / 5);
      const calls = (await Promise.all(callers)).reduce((sum, count) => sum + count, 0);
      expect(calls).toBeGreaterThan(READINGS * 10);
      const { flows, structure } = await kernel.read();
      expect([structure, flows.size]).toEqual([true, STEADY]);
    });

    it("end although the maps grow all the while", async () => {
      let id = 20_000;
      let goesOn = true;
      const growing = Array.from({ length: CALLERS }, async () => {
        while (goesOn && id < 30_000) {
          const rules = Array.from({ length: FLOWS }, () => flow(id++));
          await kernel.apply(
            state,
            rules.map((rule) => ({ kind: "flow.add", rule })),
          );
        }
      });
      const begun = performance.now();
      const { structure, flows } = await kernel.read();
      const took = performance.now() - begun;
      goesOn = false;
      await Promise.all(growing);
      expect(structure).toBe(true);
      expect(steady.every((rule) => flows.has(rule.id))).toBe(true);
      expect(took).toBeLessThan(LONGEST_MS);
    });
  });
});
