import { beforeAll, expect, it } from "vitest";
import { openLinuxKernel } from "../../../src/kernel/linux.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { LOCAL } from "../reconcile/bench.js";
import { expectParallelAsSequence } from "../reconcile/concurrency.js";
import { inOwnNamespace, run } from "./namespace.js";

inOwnNamespace(import.meta.url, () => {
  beforeAll(async () => {
    await run("ip", "link", "add", "wan0", "type", "veth", "peer", "name", "lan0");
  });

  it("ends a thousand decisions at once as one after the other", async () => {
    const kernel = await openLinuxKernel({ table: "sluice_test", log: SILENT_LOGGER, maxFlows: 4096 });
    try {
      await expectParallelAsSequence(kernel, LOCAL);
      await kernel.cleanup();
      expect((await kernel.read()).structure).toBe(false);
    } finally {
      await kernel.close();
    }
  });
});
