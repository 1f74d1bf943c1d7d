import { describe, expect, it } from "vitest";
import type { ReservationsView, ReservationView } from "../../src/control/reservation-views.js";
import type { ControlQuery } from "../../src/control/server.js";
import { SystemError } from "../../src/model/errors.js";
import { bitsPerSecond, timestamp } from "../../src/model/units.js";
import { roleSockets } from "./role-sockets.js";

const sockets = roleSockets("sluice-reservations-");
const asked: (ControlQuery & { readonly at: string })[] = [];

const sluice = (...args: readonly string[]) => sockets.sluice(args);

const granted = (router: string, sender: string): ReservationView => ({
  router,
  flow: `${sender} -> aggregate 10.3.0.1 46`,
  rate: bitsPerSecond(160_000),
  rule: "voice",
  since: timestamp(0),
  committed: true,
});

/** A policy server that has granted these; a destination of 10.3.0.1 is that of all. */
async function server(name: string, ...reservations: readonly ReservationView[]): Promise<void> {
  asked.splice(0);
  const view: ReservationsView = { reservations, decisions: [] };
  await sockets.role(
    name,
    { "/v1/show/reservations": async () => view },
    {
      "/v1/reservations/withdraw": async (query) => {
        asked.push({ at: name, ...query });
        const { router, to = "10.3.0.1" } = query;
        return reservations.filter((each) => each.router === router && to === "10.3.0.1");
      },
    },
  );
}

describe("show reservations", () => {
  it("lists what a policy server has granted, and gives its decisions as JSON", async () => {
    const [one, other] = [granted("r1", "10.1.0.1"), { ...granted("t", "10.1.0.2"), committed: false }];
    await server("pol1", one, other);
    const { code, out } = await sluice("show", "reservations");
    expect(code).toBe(0);
    expect(out.split("\n").map((line) => line.split(/ {2,}/))).toEqual([
      ["ROLE", "ROUTER", "FLOW", "RATE", "RULE", "COMMITTED", "SINCE"],
      ["pol1", "r1", one.flow, "160 kbit/s", "voice", "true", expect.stringContaining("1970-01-01")],
      ["pol1", "t", other.flow, "160 kbit/s", "voice", "false", expect.stringContaining("1970-01-01")],
      [""],
    ]);
    expect(JSON.parse((await sluice("show", "reservations", "-o", "json")).out)).toMatchObject({
      kind: "reservations",
      items: [{ role: "pol1", reservations: [{ router: "r1" }, { router: "t" }], decisions: [] }],
    });
  });
});

describe("reservations withdraw", () => {
  it("takes back what a router was granted, wherever that was", async () => {
    await server("pol1", granted("r1", "10.1.0.1"), granted("t", "10.1.0.2"));
    await server("pol2", granted("t", "10.1.0.1"));
    await server("pol3", granted("r1", "10.1.0.1"));
    await sockets.role("sip1", { "/v1/health": async () => ({}) });
    expect(await sluice("reservations", "withdraw", "--router", "t")).toEqual({
      code: 0,
      err: "",
      out: [
        "reservations taken back: 2",
        "ROLE  FLOW                                     RATE  RULE",
        "pol1  10.1.0.2 -> aggregate 10.3.0.1 46  160 kbit/s  voice",
        "pol2  10.1.0.1 -> aggregate 10.3.0.1 46  160 kbit/s  voice",
        "",
      ].join("\n"),
    });
    expect(asked).toEqual([
      { at: "pol1", router: "t" },
      { at: "pol2", router: "t" },
    ]);
  });

  it("takes back those to one destination only, and tells them as JSON", async () => {
    await server("pol1", granted("t", "10.1.0.1"));
    const { out } = await sluice("reservations", "withdraw", "--router", "t", "--to", "10.3.0.1", "-o", "json");
    expect(JSON.parse(out)).toEqual({
      apiVersion: expect.any(String),
      kind: "reservationsWithdrawn",
      items: [{ role: "pol1", flow: "10.1.0.1 -> aggregate 10.3.0.1 46", rate: 160_000, rule: "voice" }],
    });
    expect(asked).toEqual([{ at: "pol1", router: "t", to: "10.3.0.1" }]);
  });

  it("says what it cannot do, and asks nobody for it", async () => {
    await server("pol1", granted("t", "10.1.0.1"));
    const refusal = async (...args: readonly string[]): Promise<string> => {
      const { code, err } = await sluice("reservations", "withdraw", ...args);
      expect(code).toBe(2);
      return err;
    };
    expect(await refusal()).toContain("--router");
    expect(await refusal("--router", "t", "--to", "nowhere")).toContain('"nowhere" is not an address');
    expect(await refusal("--router", "r9")).toContain("has granted router r9 a reservation");
    expect(asked).toEqual([]);
    expect(await refusal("--router", "t", "--to", "10.3.0.9")).toContain("router t a reservation to 10.3.0.9");
  });

  it("fails when a policy server did not answer, after what the others took back", async () => {
    await server("pol1", granted("t", "10.1.0.1"));
    await sockets.role("pol2", {
      "/v1/show/reservations": async () => {
        throw new SystemError("BROKEN", "it is broken");
      },
    });
    const { code, out, err } = await sluice("reservations", "withdraw", "--router", "t");
    expect([code, err]).toEqual([2, expect.stringContaining("it is broken")]);
    expect(out).toContain("reservations taken back: 1");
  });
});
