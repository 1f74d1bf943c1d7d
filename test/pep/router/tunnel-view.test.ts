import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ZERO_OID } from "../../../src/cops/pr/oid.js";
import { pib } from "../../../src/cops/pr/pib/index.js";
import { encodeRow, pridOf } from "../../../src/cops/pr/prc.js";
import { PriStore } from "../../../src/cops/pr/pri-store.js";
import type { FlowKey } from "../../../src/model/flow.js";
import { addressFromBytes } from "../../../src/model/ip.js";
import { sessionIdOf } from "../../../src/model/session.js";
import { TUNNEL_KINDS } from "../../../src/model/tunnel.js";
import { dscp, kilobitsPerSecond, octets } from "../../../src/model/units.js";
import { basePolicy } from "../../../src/pdp/router/base-policy.js";
import { flowBindings, tokenBucketRow } from "../../../src/pdp/router/flow-rows.js";
import { type PolicyTunnel, tunnelRow } from "../../../src/pdp/router/tunnel-rows.js";
import { INSTALLABLE } from "../../../src/pep/router/capabilities.js";
import { readChanges } from "../../../src/pep/router/flow-view.js";
import { readTunnels } from "../../../src/pep/router/tunnel-view.js";

const policy = basePolicy(
  [{ id: 1, name: "voice", rate: kilobitsPerSecond(170) }],
  [{ name: "voice", pool: "voice", dscp: dscp(46), outOfProfile: { action: "drop" } }],
);
const session = sessionIdOf("call", "tag");
const key: FlowKey = {
  protocol: "udp",
  source: { address: "10.1.0.10", port: 6000 },
  destination: { address: "10.3.0.10", port: 6000 },
};
const flow = (instance: number, tunnel: number | undefined) => [
  tokenBucketRow(7, { rate: kilobitsPerSecond(80), burst: octets(3000) } as Parameters<typeof tokenBucketRow>[1]),
  ...flowBindings({
    ...{ instance, session, key, parameters: 7, packetSize: undefined, tunnel },
    targets: policy.targets.get("voice")!,
  }),
];
const TUNNEL: PolicyTunnel = {
  ...{ id: 9, name: "to branch", pool: "voice", kind: "vxlan" },
  ...{ local: "10.2.0.1", remote: "10.2.0.2", sourcePort: 50_000, destinationPort: 4789, mtu: octets(1400) },
};

const newStore = () => {
  const store = new PriStore({ classes: INSTALLABLE, maxInstances: 1000 });
  expect(store.apply({ removals: [], bindings: policy.bindings })).toMatchObject({ ok: true });
  return store;
};
/** What a change would make of the kernel. */
function reading(store: PriStore, change: Parameters<PriStore["prepare"]>[0]) {
  const prepared = store.prepare(change);
  if (!prepared.ok) throw new Error(prepared.errors.map(({ text }) => text).join());
  const result = readChanges(prepared.transaction);
  store.commit(prepared.transaction);
  return result;
}

describe("tunnels of a policy", () => {
  it("are read as they were written, of any kind and both IP versions", () => {
    const port = fc.integer({ min: 0, max: 65_535 });
    const written = fc
      .record({
        id: fc.integer({ min: 1, max: 255 }),
        name: fc.stringMatching(/^[a-z][a-z0-9 -]{0,40}$/),
        kind: fc.constantFrom(...TUNNEL_KINDS),
        size: fc.constantFrom(4, 16),
        bytes: fc.uint8Array({ minLength: 32, maxLength: 32 }),
        sourcePort: port,
        destinationPort: port,
        mtu: fc.integer({ min: 1280, max: 65_000 }).map(octets),
      })
      .map(({ size, bytes, ...rest }) => ({
        ...rest,
        local: addressFromBytes(bytes.subarray(0, size)),
        remote: addressFromBytes(bytes.subarray(16, 16 + size)),
      }));
    fc.assert(
      fc.property(fc.uniqueArray(written, { selector: ({ id }) => id, maxLength: 5 }), (tunnels) => {
        const store = newStore();
        store.apply({ removals: [], bindings: tunnels.map((tunnel) => tunnelRow({ ...tunnel, pool: "voice" })) });
        expect(readTunnels(store)).toEqual(new Map(tunnels.map((tunnel) => [tunnel.id, tunnel])));
      }),
      { numRuns: 30 },
    );
  });

  it("are all told with each change, and carry the flows that name them", () => {
    const store = newStore();
    const first = reading(store, { removals: [], bindings: [tunnelRow(TUNNEL), ...flow(1, 9), ...flow(2, undefined)] });
    if (typeof first === "string") throw new Error(first);
    expect([...first.touched.values()].map((rule) => rule?.tunnel)).toEqual([9, undefined]);
    const next = reading(store, { removals: [], bindings: flow(3, undefined) });
    if (typeof next === "string") throw new Error(next);
    expect([...next.tunnels.keys()]).toEqual([9]);
    expect([...next.touched.keys()]).toEqual([3]);
  });

  it("touch no flow when they change, and go when their rows do", () => {
    const store = newStore();
    reading(store, { removals: [], bindings: [tunnelRow(TUNNEL), ...flow(1, 9)] });
    const smaller = reading(store, { removals: [], bindings: [tunnelRow({ ...TUNNEL, mtu: octets(1300) })] });
    if (typeof smaller === "string") throw new Error(smaller);
    expect([smaller.touched.size, smaller.tunnels.get(9)?.mtu]).toEqual([0, 1300]);
    const removal = { prid: pridOf(pib.sluiceTunnel, 9) };
    expect(store.prepare({ removals: [removal], bindings: [] }), "while a flow is in it").toMatchObject({ ok: false });
    const out = reading(store, { removals: [removal], bindings: flow(1, undefined) });
    if (typeof out === "string") throw new Error(out);
    expect([out.tunnels.size, out.touched.get(1)?.tunnel]).toEqual([0, undefined]);
  });

  it("that cannot be are refused with the reason", () => {
    expect(reading(newStore(), { removals: [], bindings: [tunnelRow({ ...TUNNEL, id: 256 })] })).toBe(
      "tunnel 256: numbers end at 255",
    );
    const short = encodeRow(pib.sluiceTunnel, 3, {
      ...{ name: "x", kind: "gre", addrType: "ipv6", sourcePort: 0, destinationPort: 0, mtu: 1400 },
      ...{ localAddr: Buffer.alloc(16), remoteAddr: Buffer.alloc(4) },
    });
    expect(reading(newStore(), { removals: [], bindings: [short] })).toBe("tunnel 3: an address has the wrong length");
  });

  it("are nothing else than tunnels: a flow that names a pool for one is refused", () => {
    const wrong = encodeRow(pib.sluiceSession, 1, {
      ...{ session, clfrElement: pridOf(pib.dsClfrElement, 1), packetSize: 0 },
      tunnel: pridOf(pib.sluicePool, 1),
    });
    const rows = flow(1, undefined).filter(({ prid }) => prid !== wrong.prid);
    expect(reading(newStore(), { removals: [], bindings: [...rows, wrong] })).toBe("flow 1: its tunnel is none");
    const fine = encodeRow(pib.sluiceSession, 1, {
      ...{ session, clfrElement: pridOf(pib.dsClfrElement, 1), packetSize: 0, tunnel: ZERO_OID },
    });
    expect(typeof reading(newStore(), { removals: [], bindings: [...rows, fine] })).toBe("object");
  });
});
