import { beforeAll } from "vitest";
import { openIptablesKernel } from "../../../src/kernel/iptables/open.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { describeKernelContract } from "../contract.js";
import { link } from "../fixtures.js";
import { inOwnNamespace, run } from "./namespace.js";

inOwnNamespace(import.meta.url, () => {
  beforeAll(async () => {
    await run("ip", "link", "add", "wan0", "type", "veth", "peer", "name", "lan0");
  });
  const open = () => openIptablesKernel({ table: "sluice_test", log: SILENT_LOGGER, maxFlows: 4096 });
  describeKernelContract(
    "iptables",
    async () => ({ kernel: await open(), interfaces: [link("wan0"), link("lan0", 100_000)], reopen: open }),
    { sourcePortAlone: false, tunnels: false, aggregates: false },
  );
});
