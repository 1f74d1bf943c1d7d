import { describe, expect, it } from "vitest";
import { CPERR, GPERR } from "../../../src/cops/pr/errors.js";
import { splitPrid, ZERO_OID } from "../../../src/cops/pr/oid.js";
import { pib } from "../../../src/cops/pr/pib/index.js";
import { decodeRow, encodeRow } from "../../../src/cops/pr/prc.js";
import { PriStore, reportOf } from "../../../src/cops/pr/pri-store.js";
import { dscp, kilobitsPerSecond, octets } from "../../../src/model/units.js";
import { aggregateRow } from "../../../src/pdp/router/aggregate-rows.js";
import { capabilityBindings, installable } from "../../../src/pep/router/capabilities.js";

/** Classes that a router says it supports. */
const supported = (aggregates: boolean, tunnels = false, probes = false) =>
  capabilityBindings({ name: "r1", maxMessage: 65_536 }, { aggregates, tunnels, probes }).flatMap(
    ({ prid, values }) => {
      const place = splitPrid(prid);
      if (place?.entry !== pib.frwkPrcSupport.entry) return [];
      const decoded = decodeRow(pib.frwkPrcSupport, place.instance, values);
      return decoded.ok ? [decoded.row.supportedPrc] : [];
    },
  );

const row = aggregateRow({
  pool: 1,
  remote: "10.3.0.1",
  dscp: dscp(46),
  rate: kilobitsPerSecond(100),
  burst: octets(1500),
  packetSize: octets(200),
  request: 1,
});
const pool = encodeRow(pib.sluicePool, 1, { name: "hq-branch", queue: ZERO_OID });

describe("what a router says it can do", () => {
  it("has the classes of reservations only if it reserves", () => {
    const [plain, reserving] = [supported(false), supported(true)];
    const only = reserving.filter((entry) => !plain.includes(entry));
    expect(only).toEqual([pib.sluiceAggregate.entry, pib.sluiceAggregateState.entry]);
    expect(plain).toContain(pib.sluiceUsage.entry);
  });

  it("has the class of tunnels only if its kernel's back end steers into them", () => {
    const [plain, steering] = [supported(true), supported(true, true)];
    expect(steering.filter((entry) => !plain.includes(entry))).toEqual([pib.sluiceTunnel.entry]);
  });

  it("has the classes of measurements only if it makes them", () => {
    const [plain, measuring] = [supported(true), supported(true, false, true)];
    const only = measuring.filter((entry) => !plain.includes(entry));
    expect(only).toEqual([pib.sluiceProbe.entry, pib.sluicePathQuality.entry]);
  });

  it("is what can be installed: an aggregate is of an unknown class for a router that does not reserve", () => {
    const install = (aggregates: boolean) =>
      new PriStore({ classes: installable({ aggregates, tunnels: false, probes: false }), maxInstances: 10 }).apply({
        removals: [],
        bindings: [pool, row],
      });
    expect(install(true).ok).toBe(true);
    const refused = install(false);
    if (refused.ok) throw new Error("was installed");
    expect(reportOf(refused.errors)).toEqual({
      gperr: { code: GPERR.unknownPibData, subCode: 0 },
      errors: [{ prid: row.prid, cperr: { code: CPERR.unknownPrc, subCode: 0 }, bindings: [] }],
    });
  });
});
