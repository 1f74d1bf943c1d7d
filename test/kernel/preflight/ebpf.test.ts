import { describe, expect, it } from "vitest";
import { find, RULESET, ruleset } from "./recorded.js";

const POLICIES = "ip xfrm policy list dir out";
const postrouting = {
  chain: { family: "ip", table: "nat", name: "post", handle: 1, type: "nat", hook: "postrouting", prio: 100 },
};
const rule = (handle: number, statement: object) => ({
  rule: { family: "ip", table: "nat", chain: "post", handle, expr: [statement] },
});
const MISSING = async () => ({ outcome: "missing in kernel", evidence: "attach to lo: EINVAL" }) as const;

describe("the back end ebpf", () => {
  it.each([
    ["auto", "ok"],
    ["nftables", "ok"],
    ["ebpf", "error"],
  ] as const)("that cannot work, configured %s: %s", async (backend, severity) => {
    const found = await find("feature.ebpf.egress", { subject: { backend }, ebpf: MISSING });
    expect(found).toMatchObject([{ severity, detail: expect.stringContaining("EINVAL") }]);
  });

  it("is chosen where it is configured and works, and refused with what it lacks", async () => {
    const subject = { backend: "ebpf" } as const;
    expect(await find("backend.choice", { subject })).toMatchObject([{ severity: "ok", what: "back end ebpf" }]);
    expect(await find("backend.choice", { subject, ebpf: MISSING })).toMatchObject([
      { severity: "error", what: expect.stringContaining("ebpf lacks eBPF programs") },
    ]);
  });

  it.each([
    ["masquerade", { masquerade: null }],
    ["snat", { snat: { addr: "192.0.2.1" } }],
    ["SNAT of iptables-nft", { xt: { type: "target", name: "SNAT" } }],
  ])("warns of %s, once for each chain", async (_name, statement) => {
    const tools = { [RULESET]: ruleset(postrouting, rule(2, statement), rule(3, statement)), [POLICIES]: "" };
    const found = await find("ebpf.sourceNat", { subject: { backend: "ebpf" }, tools });
    expect(found).toMatchObject([{ severity: "warning", what: "rules of ip nat post give packets another source" }]);
    expect(await find("ebpf.sourceNat", { subject: { backend: "nftables" }, tools })).toEqual([]);
  });

  it("says that all is well where no source is translated and nothing encrypted", async () => {
    const tools = { [RULESET]: ruleset(postrouting, rule(2, { accept: null })), [POLICIES]: "" };
    const subject = { backend: "ebpf" } as const;
    expect(await find("ebpf.sourceNat", { subject, tools })).toMatchObject([{ severity: "ok" }]);
    expect(await find("ebpf.ipsec", { subject, tools })).toMatchObject([{ severity: "ok" }]);
  });

  it("warns of what IPsec takes", async () => {
    const text = "src 10.0.0.0/8 dst 10.9.0.0/16 \n\tdir out priority 0 \n\ttmpl src 192.0.2.1 dst 192.0.2.2\n";
    const found = await find("ebpf.ipsec", { subject: { backend: "ebpf" }, tools: { [POLICIES]: text } });
    expect(found).toMatchObject([
      { severity: "warning", what: "an IPsec policy takes src 10.0.0.0/8 dst 10.9.0.0/16" },
    ]);
  });
});
