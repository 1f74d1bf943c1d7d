import { describe, expect, it } from "vitest";
import { type KindTrial, kindFindings, tunnelChecks } from "../../../src/kernel/preflight/checks/tunnels.js";
import { preflight } from "../../../src/kernel/preflight/preflight.js";
import type { ProbeResult } from "../../../src/kernel/probe/outcome.js";
import type { ScratchCommand } from "../../../src/kernel/probe/scratch.js";
import { TUNNEL_KINDS } from "../../../src/model/tunnel.js";
import { recorded, SUBJECT } from "./recorded.js";

const THERE: ProbeResult = { outcome: "supported", evidence: "" };
const MISSING: ProbeResult = { outcome: "missing in kernel", evidence: "Error: Unknown device type." };
const DENIED: ProbeResult = { outcome: "unknown", evidence: "unshare: unshare failed: Operation not permitted" };
const trials = (resultOf: (kind: KindTrial["kind"]) => ProbeResult): readonly KindTrial[] =>
  TUNNEL_KINDS.flatMap((kind) => ([4, 6] as const).map((outer) => ({ kind, outer, result: resultOf(kind) })));
const vxlanAlone = trials((kind) => (kind === "vxlan" ? THERE : MISSING));

describe("the kinds of tunnels, to the doctor,", () => {
  it("are told, with what is missing", () => {
    const [finding] = kindFindings(vxlanAlone);
    expect(finding).toMatchObject({ id: "feature.link.tunnels", severity: "ok", what: "kinds of tunnels: vxlan" });
    expect(finding?.detail.split("\n")).toHaveLength(8);
    expect(finding?.detail).toContain("ipip over IPv6: missing in kernel: Error: Unknown device type.");
    expect(kindFindings(trials(() => THERE))[0]?.what).toBe("kinds of tunnels: ipip, gre, fou, gue, vxlan");
  });

  it("are an error where one that is configured is missing, a warning where there are none", () => {
    expect(kindFindings(vxlanAlone, ["gue", "vxlan"])).toMatchObject([
      { severity: "error", what: expect.stringContaining("gue"), remedy: expect.stringContaining("choose vxlan") },
    ]);
    expect(kindFindings(trials(() => MISSING))).toMatchObject([{ severity: "warning" }]);
  });

  it("are not known to a user who may not try", () => {
    expect(
      kindFindings(
        trials(() => DENIED),
        ["gue"],
      ),
    ).toMatchObject([{ severity: "unknown", why: DENIED.evidence }]);
  });

  it("are tried in a scratch namespace, over both families", async () => {
    const asked: ScratchCommand[] = [];
    const findings = await preflight({
      machine: recorded({}),
      scratch: async (command) => {
        asked.push(command);
        return { exitCode: 0, stderr: "" };
      },
      subject: SUBJECT,
      netlink: async () => THERE,
      ebpf: async () => THERE,
      checks: tunnelChecks,
    });
    expect(findings).toHaveLength(1);
    expect(asked.map(({ tool }) => tool)).toEqual(new Array(10).fill("ip"));
  });
});
