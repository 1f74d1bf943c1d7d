import { afterEach, describe, expect, it } from "vitest";
import { pdpRsvpKeys } from "../../src/config/pdp-rsvp.js";
import { admissionKeys, admissionOf } from "../../src/config/rsvp-admission.js";
import { DEFAULT_COPS_LIMITS } from "../../src/cops/endpoint/limits.js";
import type { PdpHandlers } from "../../src/cops/endpoint/pdp-handlers.js";
import { PdpServer } from "../../src/cops/endpoint/pdp-server.js";
import { openReservationControl, type ReservationControl } from "../../src/daemon/pdp-outsourcing.js";
import { Cleanup } from "../../src/daemon/role.js";
import { type Outsourcing, openOutsourcing } from "../../src/daemon/router-outsourcing.js";
import { SYSTEM_CLOCK } from "../../src/model/clock.js";
import { SystemError } from "../../src/model/errors.js";
import { SILENT_LOGGER } from "../../src/model/log.js";
import { millis } from "../../src/model/units.js";
import type { AdmissionVerdict } from "../../src/rsvp/machine/events.js";
import { until } from "../cops/endpoint/support.js";
import { aggregate, flowspecOf } from "../pdp/rsvp/requests.js";

const cleanup = new Cleanup();
afterEach(() => cleanup.run());

const parts = { clock: SYSTEM_CLOCK, log: SILENT_LOGGER, cleanup };

const NOBODY: PdpHandlers = {
  open: () => ({ accept: false, error: { code: 6, subCode: 0 } }),
  opened: () => undefined,
  request: () => Promise.resolve({ decisions: [] }),
  report: () => undefined,
  deleted: () => undefined,
  synchronized: () => undefined,
  closed: () => undefined,
};

async function serve(): Promise<ReservationControl & { readonly port: number }> {
  const rsvp = pdpRsvpKeys().parse({
    routers: ["t"],
    allow: [{ name: "voice", from: "10.1.0.0/24", to: "10.3.0.0/24", phb: "EF", rate: "200 kbit/s" }],
  });
  const control = openReservationControl({ ...parts, rsvp, keepAlive: millis(30_000) });
  const server = new PdpServer(
    {
      address: "127.0.0.1",
      port: 0,
      clock: SYSTEM_CLOCK,
      log: SILENT_LOGGER,
      limits: DEFAULT_COPS_LIMITS,
      clientTypes: control.clientTypes,
    },
    control.over(NOBODY),
  );
  const port = await server.listen();
  cleanup.add(() => server.close());
  return { ...control, port };
}

interface Router extends Outsourcing {
  readonly told: string[];
  reserve(sender: string, rate: number, id?: number): void;
}

/** A router whose node and traffic control only say what they are told. */
function router(port: number): Router {
  const admission = admissionOf(admissionKeys().parse({ servers: [`127.0.0.1:${port}`], timeout: "30 s" }));
  if (admission === undefined) throw new Error("no admission");
  const outsourcing = openOutsourcing({ ...parts, config: { name: "t" } }, admission);
  const told: string[] = [];
  const word = (verdict: AdmissionVerdict) =>
    verdict.admit ? "admitted" : `refused ${verdict.error.code}/${verdict.error.value}`;
  outsourcing.admission.attach({
    local: {
      reserve: ({ ref, id }) =>
        outsourcing.admission.answered({ type: "admission", ref, id, verdict: { admit: true } }),
      release: () => undefined,
    },
    tell: (event) => {
      if (event.type === "admission") told.push(`${event.ref.flow} ${word(event.verdict)}`);
      if (event.type === "preempt") told.push(`${event.ref.flow} taken away`);
    },
    view: () => ({ session: undefined, refreshPeriod: millis(30_000) }),
    free: () => 1e9 as never,
  });
  const reserve = (sender: string, rate: number, id = 1): void =>
    outsourcing.admission.reserve({
      do: "reserve",
      ref: { session: aggregate("10.3.0.1"), interface: "eth1", flow: sender },
      id,
      flowspec: flowspecOf(rate),
      style: "FF",
      filters: [{ address: sender }],
      entryPolicing: false,
      mergePolicing: false,
    });
  return { ...outsourcing, told, reserve };
}

describe("a router and a policy server, composed as their configurations want it", () => {
  it("admit, refuse with a reason that can be read afterwards, and take back", async () => {
    const pdp = await serve();
    const t = router(pdp.port);
    expect(t.problems()).toEqual(["no policy server decides about reservations: new ones are refused"]);
    t.reserve("10.1.0.1", 160_000);
    t.reserve("10.1.0.2", 80_000);
    await until(() => t.told.length === 2);
    expect(t.told).toEqual(["10.1.0.1 admitted", "10.1.0.2 refused 2/4"]);
    expect([t.problems(), pdp.problems()]).toEqual([[], []]);
    expect(t.peer()).toMatchObject({ name: "policy server (RSVP)", address: `127.0.0.1:${pdp.port}`, state: "open" });
    await until(() => pdp.show().reservations[0]?.committed === true);
    expect(pdp.show()).toMatchObject({
      reservations: [{ router: "t", flow: "10.1.0.1 -> aggregate 10.3.0.1 46", rate: 160_000, rule: "voice" }],
      decisions: [
        { admitted: true },
        { admitted: false, text: "rule voice has 40 kbit/s left, 80 kbit/s are asked for" },
      ],
    });
    const withdrawn = await pdp.actions["reservations/withdraw"]?.({ router: "t", to: "10.3.0.1" });
    expect(withdrawn).toMatchObject([{ rate: 160_000 }]);
    await until(() => t.told.includes("10.1.0.1 taken away"));
    expect(pdp.show().reservations).toEqual([]);
  });

  it("take all of a router back when no destination is named", async () => {
    const pdp = await serve();
    const t = router(pdp.port);
    t.reserve("10.1.0.1", 80_000);
    t.reserve("10.1.0.2", 80_000);
    await until(() => pdp.show().reservations.filter(({ committed }) => committed).length === 2);
    const withdraw = pdp.actions["reservations/withdraw"];
    expect(await withdraw?.({ router: "r1" })).toEqual([]);
    expect(await withdraw?.({ router: "t", to: "10.3.0.2" })).toEqual([]);
    expect(await withdraw?.({ router: "t" })).toHaveLength(2);
    await until(() => t.told.filter((each) => each.endsWith("taken away")).length === 2);
  });

  it("say what is missing", async () => {
    const pdp = await serve();
    expect(pdp.problems()).toEqual(["router t asks nobody here about RSVP"]);
    for (const query of [{}, { to: "10.3.0.1" }, { router: "t", to: "" }, { router: "t", to: "nowhere" }]) {
      await expect(pdp.actions["reservations/withdraw"]?.(query)).rejects.toThrow(SystemError);
    }
    const admission = admissionOf(admissionKeys().parse("policyServer"));
    if (admission === undefined) throw new Error("no admission");
    expect(() => openOutsourcing({ ...parts, config: { name: "t" } }, admission)).toThrow(SystemError);
  });

  it("lose nothing of many reservations and questions when the connection breaks", async () => {
    const pdp = await serve();
    const t = router(pdp.port);
    for (let each = 0; each < 1000; each += 1) t.reserve(`10.1.0.${each % 250}`, 8 + Math.floor(each / 250), each);
    await until(() => t.admission.held.all === 250 && t.admission.held.undecided === 0);
    const [peer] = pdp.link.peers();
    peer?.close({ code: 11, subCode: 0 }, "test");
    await until(() => pdp.link.peers().some((other) => other !== peer));
    await until(() => t.admission.connected && t.admission.held.undecided === 0);
    expect(t.told.filter((each) => !each.endsWith("admitted"))).toEqual([]);
    expect(pdp.show().reservations).toHaveLength(250);
    await until(() => pdp.link.reservations().every(({ committed }) => committed));
  });
});
