import { expect, it } from "vitest";
import { pdpSchema } from "../../src/config/pdp.js";

const DAY = 86_400_000;
const { records } = pdpSchema({ directory: "/etc/sluice", env: {} }).shape;

it("a policy server keeps billing records for thirteen monthly bills, or as long as it is told", () => {
  expect(records.parse(undefined)).toEqual({ retention: 400 * DAY });
  expect(records.parse({})).toEqual({ retention: 400 * DAY });
  expect(records.parse({ retention: "10 d" })).toEqual({ retention: 10 * DAY });
  expect(records.parse({ retention: "3660 d" })).toEqual({ retention: 3660 * DAY });
  for (const bad of [{ retention: "3661 d" }, { retention: 400 }, { retention: "off" }, { sessions: "1 d" }]) {
    expect(records.safeParse(bad).success).toBe(false);
  }
});
