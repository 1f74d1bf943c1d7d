/** Whoever else filters, marks or shapes on this machine finds everything as it was, to the octet, at every step of our life. */
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { openLinuxKernel } from "../../../src/kernel/linux.js";
import type { KernelPort } from "../../../src/kernel/port.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { reconcile } from "../contract.js";
import { desired, flow, flow6, link, pool } from "../fixtures.js";
import { inOwnNamespace, run } from "./namespace.js";

const TABLE = "sluice_test";

const FIREWALLS = [
  { name: "firewalld", load: ["nft", "-f", "firewalld.nft"] },
  { name: "kube-proxy", load: ["nft", "-f", "kube-proxy.nft"] },
  { name: "docker by iptables-nft", load: ["iptables-nft-restore", "docker.rules"] },
  { name: "docker by iptables-legacy", load: ["iptables-legacy-restore", "docker.rules"] },
  { name: "ufw by iptables-nft", load: ["iptables-nft-restore", "ufw.rules"] },
  { name: "ufw by iptables-legacy", load: ["iptables-legacy-restore", "ufw.rules"] },
] as const;

/** Handles and counters included. Our own tables are left out by name, everything of others stays. */
async function everythingOfOthers(): Promise<string> {
  const tables = (await run("nft", "list", "tables")).split("\n").filter((line) => line !== "");
  const others = tables.filter((line) => !line.endsWith(` ${TABLE}`));
  const listings = await Promise.all(others.map((line) => run("nft", "-a", "list", ...line.split(" "))));
  const withoutTimes = (text: string): string => text.replace(/^#.*$/gm, "");
  return [
    ...listings,
    withoutTimes(await run("iptables-legacy-save", "-c")),
    withoutTimes(await run("ip6tables-legacy-save", "-c")),
    await run("ipset", "save"),
    await run("tc", "-d", "qdisc", "show", "dev", "lan0"),
    await run("tc", "-d", "class", "show", "dev", "lan0"),
    await run("ip", "rule"),
    await run("ip", "route", "show", "table", "all"),
  ].join("\n----\n");
}

/** Devices of ours have a tree of ours; the whole machine otherwise. */
const everything = async (): Promise<string> =>
  `${await everythingOfOthers()}\n${await run("nft", "-a", "list", "ruleset")}\n${await run("tc", "-d", "qdisc")}\n${await run("ip", "-d", "link")}`;

inOwnNamespace(import.meta.url, () => {
  const directory = fileURLToPath(new URL("../foreign/", import.meta.url));
  let kernel: KernelPort;
  const open = () => openLinuxKernel({ table: TABLE, log: SILENT_LOGGER, maxFlows: 4096 });

  beforeAll(async () => {
    await run("ip", "link", "add", "wan0", "type", "veth", "peer", "name", "lan0");
    await run("tc", "qdisc", "add", "dev", "lan0", "root", "handle", "1:", "htb", "default", "10");
    await run("tc", "class", "add", "dev", "lan0", "parent", "1:", "classid", "1:10", "htb", "rate", "50mbit");
    await run("ip", "rule", "add", "fwmark", "0x64/0xff", "lookup", "77", "pref", "1000");
  });
  afterEach(async () => {
    await kernel.cleanup();
    await kernel.close();
    await run("nft", "flush", "ruleset");
    for (const table of ["filter", "nat", "mangle"]) {
      await run("iptables-legacy", "-t", table, "-F");
      await run("iptables-legacy", "-t", table, "-X");
    }
  });
  afterAll(() => run("ip", "link", "del", "wan0"));

  describe.each(FIREWALLS)("beside $name", ({ load: [program, ...args] }) => {
    it("changes nothing of it: installing, resizing, a lost table, a restart, taking all away", async () => {
      await execa(program, args, { cwd: directory });
      const before = await everythingOfOthers();
      const whole = await everything();
      expect(before.length).toBeGreaterThan(1000);

      kernel = await open();
      const interfaces = [link("wan0")];
      const calls = [flow(1), flow6(2), flow(3, { pool: 2 })];
      const life = [
        desired([], { interfaces }),
        desired(calls, { interfaces, pools: [pool(1), pool(2, 300)] }),
        desired(calls, { interfaces, pools: [pool(1, 2000), pool(2, 100)] }),
        desired([flow(1)], { interfaces: [link("wan0", 5000)], signalling: [] }),
      ];
      for (const [step, state] of life.entries()) {
        await reconcile(kernel, state);
        expect(await everythingOfOthers(), `step ${step}`).toBe(before);
      }
      await run("nft", "delete", "table", "inet", TABLE);
      await reconcile(kernel, life[1]!);
      expect(await everythingOfOthers(), "after our table was lost").toBe(before);
      await kernel.close();
      kernel = await open();
      await reconcile(kernel, life[2]!);
      expect(await everythingOfOthers(), "after a restart").toBe(before);
      await kernel.cleanup();
      expect(await everything(), "at the end").toBe(whole);
    });
  });
});
