import { describe, expect, it } from "vitest";
import { communities } from "../../src/daemon/pdp-communities.js";
import { bitsPerSecond } from "../../src/model/units.js";
import { AdmissionLedger } from "../../src/pdp/ledger.js";
import { id, need } from "../pdp/pools/keeper-world.js";

const ROUTER = "r1.a.example";
const community = (name: string, router: string, more: object = {}) => ({
  name,
  prefixes: [`192.0.2.0/24 of ${name}`],
  domains: [`${name}.example`],
  router,
  ...more,
});
const between = (name: string, from?: string, to?: string) => ({ name, from, to, class: "voice" });

describe("communities of a policy server", () => {
  it("are shown with their pools to others, and the sessions in those", () => {
    const pools = [between("hq-branch", "hq", "branch"), between("lab-hq", "lab", "hq"), between("others")];
    const ledger = new AdmissionLedger(pools.map(({ name }) => ({ name, rate: bitsPerSecond(1000) })));
    ledger.reserve(id(1), [need("hq-branch", 10), need("lab-hq", 10)]);
    ledger.reserve(id(2), [need("hq-branch", 10)]);
    ledger.reserve(id(3), [need("others", 10)]);
    const config = {
      access: { router: ROUTER },
      communities: [
        community("hq", ROUTER, { edge: "192.0.2.1" }),
        community("branch", "r2.b.example"),
        community("lab", "r3.c.example"),
        community("alone", "r4.d.example"),
      ],
      pools,
    } as unknown as Parameters<typeof communities>[0]["config"];
    const views = communities({ config, ledger });
    expect(views[0]).toEqual({
      name: "hq",
      prefixes: ["192.0.2.0/24 of hq"],
      domains: ["hq.example"],
      router: ROUTER,
      edge: "192.0.2.1",
      own: true,
      pools: [
        { name: "hq-branch", to: "branch", class: "voice" },
        { name: "lab-hq", to: "lab", class: "voice" },
      ],
      sessions: 2,
    });
    expect(views.map(({ name, own, pools: found, sessions }) => [name, own, found.length, sessions])).toEqual([
      ["hq", true, 2, 2],
      ["branch", false, 1, 2],
      ["lab", false, 1, 1],
      ["alone", false, 0, 0],
    ]);
    expect(views[1]).not.toHaveProperty("edge");
  });
});
