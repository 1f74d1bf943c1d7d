import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Backend, openKernel } from "../../../src/kernel/open.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { runSluice } from "../../cli/run-sluice.js";
import { reconcile } from "../contract.js";
import { desired, flow, link } from "../fixtures.js";
import { inOwnNamespace, run } from "./namespace.js";

const TABLE = "sluice_test";

const sluice = (...args: readonly string[]) => runSluice(args);

const everything = async (): Promise<string> =>
  [
    await run("nft", "list", "ruleset"),
    await run("iptables-save"),
    await run("ip6tables-save"),
    await run("ipset", "save"),
    await run("tc", "qdisc", "show"),
  ]
    .join("\n")
    .replaceAll(/^#.*$/gm, "")
    .replaceAll(/\[\d+:\d+\]/g, "");

/** What a router with this back end would leave if it were killed. */
async function leave(backend: Backend): Promise<void> {
  const kernel = await openKernel({ backend, table: TABLE, log: SILENT_LOGGER });
  await reconcile(kernel, desired([flow(1)], { interfaces: [link("wan0")] }));
  await kernel.close();
}

inOwnNamespace(import.meta.url, () => {
  describe("sluice diff and cleanup without a router", () => {
    const directory = mkdtempSync(join(tmpdir(), "sluice-cleanup-"));
    const file = join(directory, "router.yaml");
    let foreign = "";

    beforeAll(async () => {
      await run("ip", "link", "add", "wan0", "type", "veth", "peer", "name", "lan0");
      await run("nft", "table inet foreign { chain c { type filter hook forward priority mangle; counter; }; }");
      // The tools make their tables and chains with the first rule, and leave them: theirs, and no concern of ours.
      for (const tool of ["iptables", "ip6tables"])
        for (const chain of ["FORWARD", "OUTPUT"])
          await run(tool, "-t", "mangle", "-A", chain, "-j", "MARK", "--set-mark", "1");
      await run("ipset", "create", "theirs", "hash:ip");
      await run("tc", "qdisc", "add", "dev", "lan0", "root", "handle", "1:", "htb", "default", "1");
      const keys = [
        "role: router",
        "name: r1.example",
        `control: ${join(directory, "r1.sock")}`,
        'pdp: { servers: ["10.1.0.6:3288"] }',
        `kernel: { table: ${TABLE}, interfaces: [ { name: wan0, rate: 10 Mbit/s, signalling: 256 kbit/s } ] }`,
      ];
      writeFileSync(file, `${keys.join("\n")}\n`);
    });
    afterAll(() => rmSync(directory, { recursive: true, force: true }));
    beforeEach(async () => {
      foreign = await everything();
    });

    it("tells what starting the router would change, and a shell does just that", async () => {
      const before = await sluice("diff", "-c", file);
      expect(before).toMatchObject({ code: 1, err: "" });
      expect(before.out).toMatch(/^structure +table and queueing +as configured +absent$/m);
      const { code, out } = await sluice("diff", "-c", file, "--dry-run");
      expect(code).toBe(1);
      expect(await everything()).toBe(foreign);
      await run("sh", "-e", "-c", out);
      expect(await sluice("diff", "-c", file)).toMatchObject({ code: 0, err: "" });
      expect((await sluice("cleanup", "-c", file)).code).toBe(0);
      expect(await everything()).toBe(foreign);
    });

    it("keeps sessions, and says how many", async () => {
      await leave("nftables");
      const { out } = await sluice("diff", "-c", file);
      expect(out).toMatch(/^r1\.example: 1 difference; 1 flow kept$/m);
      expect(out).toContain("made for another configuration");
      expect((await sluice("cleanup", "-c", file)).code).toBe(0);
    });

    it.each(["nftables", "iptables"] as const)("takes away what %s left, and nothing else", async (backend) => {
      await leave(backend);
      const left = await everything();
      const dry = await sluice("cleanup", "-c", file, "--dry-run");
      expect(dry).toMatchObject({ code: 0, err: "" });
      expect(await everything()).toBe(left);
      expect(dry.out).toContain("qdisc del dev wan0 root handle 1:");
      const done = await sluice("cleanup", "-c", file);
      expect(done).toMatchObject({ code: 0, err: "" });
      expect(done.out).toMatch(/^removed: tc qdisc del dev wan0 root handle 1:$/m);
      expect(await everything()).toBe(foreign);
      const again = await sluice("cleanup", "-c", file, "-o", "json");
      expect(JSON.parse(again.out)).toMatchObject({ kind: "cleanup", dryRun: false, items: [] });
    });

    it("does the same when its --dry-run is run by hand", async () => {
      await leave("nftables");
      const { out } = await sluice("cleanup", "-c", file, "--dry-run");
      await run("sh", "-e", "-c", out);
      expect(await everything()).toBe(foreign);
    });

    it("leaves a table of its name that it did not make", async () => {
      await run("nft", `add table inet ${TABLE}`);
      const { code, err } = await sluice("cleanup", "-c", file);
      expect(code).toBe(2);
      expect(err).toContain(`the table inet ${TABLE} was not made by Sluice`);
      expect(await run("nft", "list", "tables")).toContain(TABLE);
    });
  });
});
