import { describe, expect, it } from "vitest";
import type { ControlQuery } from "../../src/control/server.js";
import { roleSockets } from "./role-sockets.js";

const sockets = roleSockets("sluice-pool-");
const asked: ControlQuery[] = [];

const sluice = (...args: readonly string[]) => sockets.sluice(["pool", "resize", ...args]);

/** A policy server with one pool. */
async function server(name: string, pool = "voice"): Promise<void> {
  asked.splice(0);
  await sockets.role(
    name,
    { "/v1/show/pools": async () => [{ name: pool }] },
    {
      "/v1/pools/resize": async (query) => {
        asked.push(query);
        const shed = [{ session: "00112233445566ff", treatment: "bye" }];
        const rates = { rate: Number(query.rate), room: 150_000, heldUp: 171_200, heldDown: 171_200 };
        return { pool: query.pool, ...rates, shed, dryRun: query.dryRun !== undefined };
      },
    },
  );
}

describe("pool resize", () => {
  it("asks the policy server that has the pool, and says who is shed", async () => {
    await server("pol1");
    await sockets.role("sip1", { "/v1/health": async () => ({}) });
    expect(await sluice("voice", "170 kbit/s")).toEqual({
      code: 0,
      err: "",
      out: [
        "pol1: pool voice has 170 kbit/s, 150 kbit/s of it for sessions; held: 171.2 kbit/s up, 171.2 kbit/s down; sessions shed: 1",
        "SESSION           TREATMENT",
        "00112233445566ff  bye",
        "",
      ].join("\n"),
    });
    expect(asked).toEqual([{ pool: "voice", rate: "170000" }]);
  });

  it("only tells what would be, when asked to", async () => {
    await server("pol1");
    expect((await sluice("voice", "170 kbit/s", "--dry-run")).out).toContain("sessions that would be shed: 1");
    expect(asked).toEqual([{ pool: "voice", rate: "170000", dryRun: "1" }]);
    const { out } = await sluice("voice", "170 kbit/s", "--dry-run", "-o", "json");
    expect(JSON.parse(out)).toMatchObject({ kind: "poolResize", items: [{ role: "pol1", dryRun: true }] });
  });

  it("refuses a pool that nobody has, one that several have, and a rate that is none", async () => {
    await server("pol1");
    await server("pol2");
    await server("pol3", "video");
    expect(await sluice("games", "1 Mbit/s")).toMatchObject({
      code: 2,
      err: expect.stringContaining("has a pool games"),
    });
    expect(await sluice("voice", "1 Mbit/s")).toMatchObject({ code: 2, err: expect.stringContaining("pol1, pol2") });
    expect(await sluice("video", "170")).toMatchObject({ code: 2, err: expect.stringContaining("has no unit") });
    expect(asked).toEqual([]);
    expect((await sluice("voice", "1 Mbit/s", "--socket", `${sockets.directory}/pol2.sock`)).code).toBe(0);
    expect(asked).toHaveLength(1);
  });
});
