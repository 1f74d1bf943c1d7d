import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { loadConfig } from "../../../src/config/load.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import type { SessionId } from "../../../src/model/session.js";
import { kilobitsPerSecond, timestamp } from "../../../src/model/units.js";
import { AdmissionLedger } from "../../../src/pdp/ledger.js";
import { PoolKeeper } from "../../../src/pdp/pools/pool-keeper.js";
import { PoolMap } from "../../../src/pdp/pools/pool-map.js";
import { InstantReservations } from "../../../src/pdp/pools/reservation-port.js";
import { FakeClock } from "../../support/fake-clock.js";

it("a configuration becomes communities, links and pools that follow demand", async () => {
  const directory = mkdtempSync(join(tmpdir(), "sluice-configured-"));
  try {
    const file = join(directory, "pdp.yaml");
    writeFileSync(
      file,
      `role: pdp
name: pol1.a.example
cops: { listen: "10.1.0.6:3288" }
domain: a.example
access: { router: r1.a.example, prefixes: [10.1.0.0/24] }
communities:
  - { name: hq, prefixes: [10.1.0.0/24], domains: [a.example], router: r1.a.example }
  - { name: branch, prefixes: [10.3.0.0/24], domains: [b.example], router: r2.b.example }
links:
  - { name: access, rate: 500 kbit/s, behind: [hq] }
pools:
  - name: hq-branch
    id: 1
    from: hq
    to: branch
    class: voice
    sizing: { floor: 100 kbit/s, ceiling: 400 kbit/s, step: 100 kbit/s }
  - { name: rest, id: 2, rate: 50 kbit/s }
classes:
  - { name: voice, pool: rest, phb: EF }
rules: []
`,
    );
    const config = loadConfig(file, "pdp");
    const map = new PoolMap(config);
    expect(map.poolFrom("branch", "hq", "voice")).toMatchObject({ pool: { name: "hq-branch" }, direction: "down" });
    expect(map.linksFrom("branch", "hq")).toEqual([{ pool: "access", direction: "down" }]);
    expect(map.communityOf({ domain: "x.example", address: "10.3.0.7" })?.router).toBe("r2.b.example");
    const ledger = new AdmissionLedger([...config.pools, ...config.links]);
    const keeper: PoolKeeper = new PoolKeeper({
      ledger,
      pools: config.pools,
      timeZone: config.timeZone,
      port: new InstantReservations(() => keeper),
      rank: () => ({ priority: 0, since: timestamp(0) }),
      shed: () => undefined,
      clock: new FakeClock(),
      log: SILENT_LOGGER,
    });
    keeper.start();
    const need = (pool: string) => ({ pool, up: kilobitsPerSecond(350), down: kilobitsPerSecond(350) });
    const session = "00000000000000aa" as SessionId;
    expect(await keeper.reserve(session, [need("access"), need("hq-branch")])).toEqual({ admitted: true });
    expect(ledger.view().map(({ name, rate }) => [name, rate])).toEqual([
      ["hq-branch", 400_000],
      ["rest", 50_000],
      ["access", 500_000],
    ]);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
