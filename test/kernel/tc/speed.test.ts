import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { speedsIn } from "../../../src/kernel/tc/speed.js";
import { observedInterface, treeLink } from "../../../src/kernel/tc/survey.js";
import { bitsPerSecond, kilobitsPerSecond } from "../../../src/model/units.js";
import { link } from "../fixtures.js";

const device = (changes: object = {}) => ({
  index: 7,
  name: "wan0",
  mtu: 1500,
  linkType: 1,
  hardware: true,
  ...changes,
});

describe("the speed of a device", () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), "sluice-sysfs-"));
    await mkdir(join(root, "class/net/wan0"), { recursive: true });
  });
  afterEach(() => rm(root, { recursive: true }));
  const tells = async (speed: string, index = "7\n"): Promise<void> => {
    await writeFile(join(root, "class/net/wan0/speed"), speed);
    await writeFile(join(root, "class/net/wan0/ifindex"), index);
  };

  it.each([
    ["100\n", 100_000_000],
    ["400000\n", 400_000_000_000],
    ["-1\n", undefined],
    ["4294967295\n", undefined],
    ["0\n", undefined],
    ["\n", undefined],
    ["fast\n", undefined],
  ])("%j is %s bit/s", async (text, speed) => {
    await tells(text);
    expect(await speedsIn(root)(device())).toBe(speed);
  });

  it("does not count where nothing but software is behind it", async () => {
    await tells("10\n");
    expect(await speedsIn(root)(device({ hardware: false }))).toBeUndefined();
  });

  it("is not another namespace's, nor that of a device that is gone", async () => {
    await tells("10\n", "8\n");
    expect(await speedsIn(root)(device())).toBeUndefined();
    expect(await speedsIn(root)(device({ name: "wan1" }))).toBeUndefined();
  });
});

describe("an interface's rate", () => {
  const found = (speed?: number) => ({
    devices: new Map([["wan0", { ...device(), ...(speed === undefined ? {} : { speed: bitsPerSecond(speed) }) }]]),
    trees: new Map(),
  });

  it.each([
    [undefined, 10_000_000],
    [100_000_000, 10_000_000],
    [1_000_000, 1_000_000],
  ])("configured 10 Mbit/s, device %s: %s", (speed, rate) => {
    expect(observedInterface(found(speed), link("wan0"))).toEqual({ name: "wan0", present: true, rate });
    expect(treeLink(found(speed), link("wan0"), "bfifo")).toMatchObject({ rate, mtu: 1500 });
  });

  it("is the configured one while it is absent", () => {
    const absent = { name: "wan1", present: false, rate: kilobitsPerSecond(10_000) };
    expect(observedInterface(found(), link("wan1"))).toEqual(absent);
    expect(treeLink(found(), link("wan1"), "bfifo")).toBeUndefined();
  });
});
