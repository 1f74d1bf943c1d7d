import { describe, expect, it } from "vitest";
import { warningKeys } from "../../src/config/pool-warnings.js";

describe("warnings of a pool", () => {
  it("are given where the file says nothing, and left out where it says none", () => {
    expect(warningKeys().parse(undefined)).toEqual([80, 95]);
    expect(warningKeys().parse([])).toEqual([]);
    expect(warningKeys().parse([50, 100])).toEqual([50, 100]);
  });

  it.each([[[95, 80]], [[80, 80]], [[0]], [[101]], [[1.5]], [[1, 2, 3, 4, 5]], ["80"]])("are not %j", (value) => {
    expect(warningKeys().safeParse(value).success).toBe(false);
  });
});
