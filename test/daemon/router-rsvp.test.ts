import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { RouterConfig } from "../../src/config/router.js";
import { openRsvp } from "../../src/daemon/router-rsvp.js";
import { FakeKernel } from "../../src/kernel/fake.js";
import { Reconciler } from "../../src/kernel/reconcile/reconciler.js";
import { SYSTEM_CLOCK } from "../../src/model/clock.js";
import { SILENT_LOGGER } from "../../src/model/log.js";
import { bitsPerSecond, dscp, seconds } from "../../src/model/units.js";
import { RsvpHappenings } from "../../src/pep/router/rsvp/happenings.js";
import { ReservedPools } from "../../src/pep/router/rsvp/reserved-pools.js";

const directory = mkdtempSync(join(tmpdir(), "sluice-secrets-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
writeFileSync(join(directory, "short"), "fifteen octets.\n");

const KERNEL = { interfaces: [] } as unknown as RouterConfig["kernel"];

function openWith(...secrets: readonly string[]) {
  const keeper = new Reconciler({
    kernel: new FakeKernel(),
    local: { interfaces: [], signalling: [], signallingDscp: dscp(24) },
    usage: { record: () => undefined },
    clock: SYSTEM_CLOCK,
    log: SILENT_LOGGER,
  });
  return openRsvp({
    rsvp: {
      transport: "udp",
      refresh: seconds(1),
      interfaces: [],
      keys: secrets.map((file, id) => ({ id, secretFile: join(directory, file), interface: "lo" })),
      ceiling: bitsPerSecond(1e9),
      aggregates: [],
    },
    kernel: KERNEL,
    pools: new ReservedPools(keeper),
    happenings: new RsvpHappenings(SYSTEM_CLOCK),
    clock: SYSTEM_CLOCK,
    log: SILENT_LOGGER,
  });
}

describe("a secret of RSVP", () => {
  it("has at least 16 octets, and the newline at its end is none of them", async () => {
    await expect(openWith("short")).rejects.toMatchObject({ code: "RSVP_SECRET", message: /is too short/ });
    writeFileSync(join(directory, "enough"), "sixteen octets.!\n");
    const speaker = await openWith("enough");
    expect(speaker.driver?.endpoint?.transport?.kind).toBe("udp");
    await speaker.close();
  });

  it("that cannot be read is named", async () => {
    await expect(openWith("none")).rejects.toMatchObject({ code: "RSVP_SECRET", message: /none cannot be read/ });
  });
});
