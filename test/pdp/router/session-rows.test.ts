import { describe, expect, it } from "vitest";
import { splitPrid } from "../../../src/cops/pr/oid.js";
import { pib } from "../../../src/cops/pr/pib/index.js";
import { decodeRow } from "../../../src/cops/pr/prc.js";
import { dscpOf } from "../../../src/model/phb.js";
import { sessionIdOf } from "../../../src/model/session.js";
import { bitsPerSecond, kilobitsPerSecond, octets } from "../../../src/model/units.js";
import { basePolicy, targetKey } from "../../../src/pdp/router/base-policy.js";
import { SessionRows } from "../../../src/pdp/router/session-rows.js";
import type { InstalledFlow } from "../../../src/pdp/session-record.js";

const pools = [
  { id: 1, name: "voice", rate: kilobitsPerSecond(100) },
  { id: 2, name: "game", rate: kilobitsPerSecond(100) },
];
const drop = { action: "drop" } as const;
const { targets } = basePolicy(pools, [
  { name: "voice", pool: "voice", dscp: dscpOf("EF"), outOfProfile: drop },
  { name: "game", pool: "game", dscp: dscpOf("VA"), outOfProfile: { action: "remark", dscp: dscpOf("BE") } as const },
]);
const flow = (instance: number, place: Pick<InstalledFlow, "class" | "pool">, rate = 80_000): InstalledFlow => ({
  instance,
  flow: {
    key: {
      protocol: "udp",
      source: { address: "10.1.0.1", port: 6000 },
      destination: { address: "10.3.0.1", port: 6000 + instance },
    },
    component: "rtp",
    direction: "up",
    traffic: { rate: bitsPerSecond(rate), burst: octets(2000), packetsPerSecond: 50 },
  },
  ...place,
});

describe("the rows of a session", () => {
  const rows = new SessionRows(targets, []).bindings(
    {
      session: sessionIdOf("call", "tag"),
      class: "voice",
      flows: [flow(11, {}), flow(12, { class: "game", pool: "game" }, 96_000), flow(13, { class: "nowhere" })],
    },
    false,
  );
  const of = (entry: string) => rows.filter(({ prid }) => splitPrid(prid)?.entry === entry);

  it("lead each flow to mark and queue of its own class, and of the session's where it has none", () => {
    const meters = of(pib.dsMeter.entry).map(({ prid, values }) => {
      const decoded = decodeRow(pib.dsMeter, splitPrid(prid)?.instance ?? 0, values);
      return decoded.ok ? decoded.row.succeedNext : undefined;
    });
    const target = (name: string) => targets.get(targetKey(name, undefined))?.inProfile;
    expect(meters).toEqual([target("voice"), target("game")]);
    expect(meters[0]).not.toBe(meters[1]);
  });

  it("police each flow by what it was granted", () => {
    const rates = of(pib.dsTBParam.entry).map(({ prid, values }) => {
      const decoded = decodeRow(pib.dsTBParam, splitPrid(prid)?.instance ?? 0, values);
      return decoded.ok ? decoded.row.rate : undefined;
    });
    expect(rates).toEqual([80, 96]);
  });
});
