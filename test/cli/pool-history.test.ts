import { describe, expect, it } from "vitest";
import { sparkline } from "../../src/cli/sparkline.js";
import type { PoolSeriesView } from "../../src/control/series-views.js";
import type { ControlQuery } from "../../src/control/server.js";
import { bitsPerSecond, millis, timestamp } from "../../src/model/units.js";
import { roleSockets } from "./role-sockets.js";

const sockets = roleSockets("sluice-history-");
const asked: ControlQuery[] = [];
const START = Date.UTC(2026, 0, 2, 3, 4, 0);

const point = (slot: number, used: number, refused = 0) => ({
  at: timestamp(START + slot * 10_000),
  used: { min: bitsPerSecond(0), mean: bitsPerSecond(used / 2), max: bitsPerSecond(used) },
  reserved: bitsPerSecond(200_000),
  refused,
  samples: 10,
});

async function server(points: PoolSeriesView["points"]): Promise<void> {
  asked.splice(0);
  await sockets.role("pol1", {
    "/v1/show/pools": async () => [{ name: "voice" }],
    "/v1/series": async (query): Promise<PoolSeriesView> => {
      asked.push(query);
      return { pool: "voice", step: millis(Number(query.step)), kept: millis(10_800_000), points };
    },
  });
}

const sluice = (args: readonly string[], isTerminal = false) =>
  sockets.sluice(["pool", "history", ...args], { isTerminal, env: { NO_COLOR: "1" } });

describe("pool history", () => {
  it("prints a line for each step, and for terminals a graph", async () => {
    await server([point(0, 0), point(1, 100_000), point(3, 200_000, 2)]);
    const lines = [
      "pol1: pool voice in steps of 10 s, kept for 10800 s; sessions refused: 2",
      "TIME                        USED    LEAST        MOST    RESERVED  REFUSED",
      "2026-01-02T03:04:00Z     0 bit/s  0 bit/s     0 bit/s  200 kbit/s        0",
      "2026-01-02T03:04:10Z   50 kbit/s  0 bit/s  100 kbit/s  200 kbit/s        0",
      "2026-01-02T03:04:30Z  100 kbit/s  0 bit/s  200 kbit/s  200 kbit/s        2",
      "",
    ];
    expect(await sluice(["voice"])).toEqual({ code: 0, err: "", out: lines.join("\n") });
    expect((await sluice(["voice"], true)).out).toBe([lines[0], "▁▅ █ of 200 kbit/s", ...lines.slice(1)].join("\n"));
  });

  it("asks for the time and the step that are wanted, or for a step that suits the time", async () => {
    await server([]);
    const now = Date.now();
    for (const args of [
      [],
      ["--since", "30 s"],
      ["--since", "10m"],
      ["--since", "24h"],
      ["--since", "1 h", "--step", "1 s"],
    ]) {
      expect(await sluice(["voice", ...args])).toMatchObject({
        code: 0,
        out: expect.stringContaining("nothing was recorded"),
      });
    }
    expect(asked.map(({ pool, step }) => [pool, step])).toEqual(
      ["10000", "1000", "10000", "60000", "1000"].map((step) => ["voice", step]),
    );
    const ages = asked.map(({ since }) => Math.round((now - Number(since)) / 60_000));
    expect(ages).toEqual([10, expect.any(Number), 10, 1440, 60]);
  });

  it("prints base units as JSON", async () => {
    await server([point(0, 100)]);
    const { out } = await sluice(["voice", "-o", "json"]);
    expect(JSON.parse(out)).toEqual({
      apiVersion: "sluice/v1",
      kind: "poolSeries",
      items: [{ role: "pol1", pool: "voice", step: 10_000, kept: 10_800_000, points: [point(0, 100)] }],
    });
  });

  it("says what cannot be", async () => {
    await server([]);
    expect(await sluice(["games"])).toMatchObject({ code: 2, err: expect.stringContaining("has a pool games") });
    expect(await sluice(["voice", "--since", "long"])).toMatchObject({
      code: 2,
      err: expect.stringContaining("--since"),
    });
  });
});

describe("sparkline", () => {
  it("fits the width, shows the largest of what shares a place, and leaves blanks", () => {
    expect(sparkline([0, 50, 87, 100, 500, undefined], { top: 100, width: 10 })).toBe("▁▅▇██ ");
    expect(sparkline([0, 100, 0, 0, undefined, 0, undefined, undefined], { top: 100, width: 4 })).toBe("█▁▁ ");
    expect(sparkline([0, 0], { top: 0, width: 4 })).toBe("▁▁");
    expect(sparkline([], { top: 1, width: 4 })).toBe("");
  });
});
