/** Calls that do not wait for each other: the end state is that of the same calls in sequence. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type LinuxKernel, openLinuxKernel } from "../../../src/kernel/linux.js";
import type { KernelChange } from "../../../src/kernel/port.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { reconcile } from "../contract.js";
import { desired, flow } from "../fixtures.js";
import { inOwnNamespace } from "./namespace.js";

const FLOWS = 60;
const CALLS = 1000;

inOwnNamespace(import.meta.url, () => {
  describe("calls beside each other", () => {
    let kernel: LinuxKernel;
    const state = desired([]);
    beforeEach(async () => {
      kernel = await openLinuxKernel({ table: "sluice_pipeline", log: SILENT_LOGGER, maxFlows: 4096 });
      await reconcile(kernel, state);
    });
    afterEach(async () => {
      await kernel.cleanup();
      await kernel.close();
    });

    it("commit in the order in which they were made", async () => {
      const present = new Set<number>();
      const calls: Promise<unknown>[] = [];
      for (let call = 0; call < CALLS; call++) {
        // Two to six different flows; each comes if it is away, and goes if it is there.
        const ids = new Set(Array.from({ length: 2 + (call % 5) }, (_, n) => 1 + ((call * 7 + n * 13) % FLOWS)));
        const changes = [...ids].map((id): KernelChange => {
          const kind = present.has(id) ? "flow.remove" : "flow.add";
          if (kind === "flow.add") present.add(id);
          else present.delete(id);
          return { kind, rule: flow(id) };
        });
        calls.push(kernel.apply(state, changes));
        // Calls that must be alone, among them.
        if (call % 200 === 100) calls.push(kernel.apply(state, [{ kind: "structure" }]), kernel.read());
        if (call % 50 === 0) calls.push(kernel.counters());
      }
      await Promise.all(calls);
      const { flows, structure } = await kernel.read();
      expect(structure).toBe(true);
      expect([...flows.keys()].sort((left, right) => left - right)).toEqual([...present].sort((a, b) => a - b));
    });

    it("are whole or not at all each, also when a call among them is refused", async () => {
      const rules = Array.from({ length: 200 }, (_, index) => flow(index + 1));
      const outcomes = await Promise.allSettled(
        rules.map((rule, index) =>
          kernel.apply(state, [
            { kind: "flow.add", rule },
            // Every third call also removes what is not there.
            ...(index % 3 === 0 ? [{ kind: "flow.remove", rule: flow(9000) } as const] : []),
          ]),
        ),
      );
      for (const [index, { status }] of outcomes.entries()) {
        expect(status).toBe(index % 3 === 0 ? "rejected" : "fulfilled");
      }
      const found = (await kernel.read()).flows;
      expect([...found.keys()].sort((a, b) => a - b)).toEqual(
        rules.filter((_, index) => index % 3 !== 0).map(({ id }) => id),
      );
    });
  });
});
