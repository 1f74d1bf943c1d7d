import { describe, expect, it } from "vitest";
import type { RouterConfig } from "../../src/config/router.js";
import { examineStamp } from "../../src/daemon/stamp-preflight.js";
import { millis } from "../../src/model/units.js";
import { probeStamp, type StampProbe } from "../../src/stamp/endpoint/probe.js";

const WELL: StampProbe = {
  method: { times: "kernel", classes: true },
  reflectors: [{ place: "10.2.1.1:862", works: true, evidence: "" }],
  clock: { synchronised: true, format: "ntp", error: millis(0.05) },
};
const taken = { place: "10.2.1.1:862", works: false, evidence: "cannot use 10.2.1.1:862: EADDRINUSE" };

const config = (clock = "auto") =>
  ({ control: "/nowhere.sock", stamp: { addresses: ["10.2.1.1"], port: 862, clock } }) as unknown as RouterConfig;

const find = (changes: Partial<StampProbe> = {}, running = false, clock = "auto") =>
  examineStamp(config(clock), {
    probe: () => Promise.resolve({ ...WELL, ...changes }),
    isRunning: () => Promise.resolve(running),
  });
const troubles = async (...situation: Parameters<typeof find>) =>
  (await find(...situation)).filter(({ severity }) => severity !== "ok");

describe("measurements of a router", () => {
  it("are well in every respect, and no matter without `stamp:`", async () => {
    expect((await find()).map(({ id, severity }) => `${id} ${severity}`)).toEqual([
      "stamp.sockets ok",
      "stamp.port ok",
      "stamp.clock ok",
    ]);
    expect(await examineStamp({ control: "/nowhere.sock" } as RouterConfig)).toEqual([]);
  });

  it.each([
    [
      "no koffi",
      { method: { times: "process", classes: false, lacking: "koffi cannot be loaded" } },
      "npm install koffi",
    ],
    ["no right", { method: { times: "kernel", classes: false, lacking: "(EPERM)" } }, /CAP_NET_ADMIN/],
  ] as const)("%s: sockets that find less", async (_, changes, remedy) => {
    const [found, ...more] = await troubles(changes);
    expect(found).toMatchObject({ id: "stamp.sockets", severity: "warning", detail: changes.method.lacking });
    expect(found?.remedy).toMatch(remedy);
    expect(more).toEqual([]);
  });

  it.each([
    ["EADDRINUSE", /^ss -ulnp sport = 862/],
    ["EACCES", /CAP_NET_BIND_SERVICE/],
    ["EADDRNOTAVAIL", /^ip -brief address/],
  ])("a port that cannot be had: %s", async (errno, remedy) => {
    const [found, ...more] = await troubles({ reflectors: [{ ...taken, evidence: `cannot use it: ${errno}` }] });
    expect(found).toMatchObject({ id: "stamp.port", severity: "error", detail: `cannot use it: ${errno}` });
    expect(found?.remedy).toMatch(remedy);
    expect(more).toEqual([]);
  });

  it("a port that the running router has is well", async () => {
    expect(await troubles({ reflectors: [taken] }, true)).toEqual([]);
    const forbidden = { ...taken, evidence: "EACCES" };
    expect(await troubles({ reflectors: [forbidden] }, true)).toHaveLength(1);
  });

  it("a clock that follows nothing is worth a note", async () => {
    const clock = { synchronised: false, format: "ntp", error: millis(0) } as const;
    expect(await troubles({ clock })).toMatchObject([{ id: "stamp.clock", severity: "note" }]);
    expect((await troubles({ clock }, false, "free"))[0]?.what).toContain("as configured");
  });

  it("are tried on this machine", async () => {
    const here = { addresses: ["127.0.0.1"], port: 1, clock: "synchronised" };
    const found = await examineStamp({ control: "/nowhere.sock", stamp: here } as unknown as RouterConfig);
    expect(found.map(({ id }) => id)).toEqual(["stamp.sockets", "stamp.port", "stamp.clock"]);
    const held = await probeStamp(["127.0.0.1" as never], 0, "free");
    expect(held.reflectors).toMatchObject([{ works: true }]);
  });
});
