import { describe, expect, it } from "vitest";
import { KindCheck, kindProbe, probeTunnelKinds } from "../../../src/kernel/link/kinds.js";
import type { CommandResult } from "../../../src/kernel/probe/outcome.js";
import type { ScratchCommand, ScratchRunner } from "../../../src/kernel/probe/scratch.js";
import { KernelError } from "../../../src/model/errors.js";
import { TUNNEL_KINDS, type TunnelKind } from "../../../src/model/tunnel.js";
import { tunnel } from "./samples.js";

const FINE: CommandResult = { exitCode: 0, stderr: "" };
const MISSING: CommandResult = { exitCode: 1, stderr: "Error: Unknown device type.\nCommand failed -:1" };
const NO_FOU: CommandResult = { exitCode: 1, stderr: "RTNETLINK answers: No such file or directory" };

/** A kernel that has VXLAN alone, and what it was asked. */
function vxlanAlone(): { readonly asked: ScratchCommand[]; readonly run: ScratchRunner } {
  const asked: ScratchCommand[] = [];
  const run: ScratchRunner = async (command) => {
    asked.push(command);
    if (command.input?.includes("type vxlan")) return FINE;
    return command.input?.startsWith("fou add") ? NO_FOU : MISSING;
  };
  return { asked, run };
}

const refusal = async (check: KindCheck, kind: TunnelKind): Promise<unknown> =>
  check.check([tunnel(kind)]).catch((error: unknown) => error);

describe("kinds of tunnels", () => {
  it("are tried by the commands that make them, in a scratch namespace", () => {
    expect(kindProbe("gue", 6)).toMatchObject({ tool: "ip", args: ["-6", "-batch", "-"] });
    const lines = kindProbe("gue", 6).input?.split("\n");
    expect(lines?.[0]).toBe("fou add port 6080 gue");
    expect(lines?.[1]).toMatch(/^link add \S+ mtu 1280 type ip6tnl mode any local 2001:db8::1 .* encap gue /);
    expect(kindProbe("ipip", 4).args).toEqual(["-batch", "-"]);
    expect(kindProbe("ipip", 4).input).toContain("type sit mode any");
  });

  it("are told in the order of their overhead", async () => {
    expect(await probeTunnelKinds(4, async () => FINE)).toEqual(TUNNEL_KINDS);
    expect(await probeTunnelKinds(6, vxlanAlone().run)).toEqual(["vxlan"]);
    expect(await probeTunnelKinds(4, async () => ({ exitCode: 1, stderr: "unshare: unshare failed" }))).toEqual([]);
  });

  it.each(["ipip", "gre", "fou", "gue"] as const)("%s is refused where it is missing", async (kind) => {
    const error = await refusal(new KindCheck(vxlanAlone().run), kind);
    expect(error).toBeInstanceOf(KernelError);
    expect(error).toMatchObject({
      code: "KERNEL_UNSUPPORTED",
      message: expect.stringContaining(`${kind} is missing in kernel; the kinds that are there: vxlan`),
      remedy: expect.stringContaining("choose vxlan"),
      detail: { errno: "EOPNOTSUPP" },
    });
  });

  it("say so when there are none at all", async () => {
    const error = await refusal(new KindCheck(async () => MISSING), "vxlan");
    expect(error).toMatchObject({ message: expect.stringContaining("no kind of tunnel is there") });
  });

  it("are tried once if they are there, again if not, and left to the kernel where nobody can tell", async () => {
    const { asked, run } = vxlanAlone();
    const check = new KindCheck(run);
    await check.check([tunnel("vxlan"), tunnel("vxlan", 4, { id: 8 })]);
    await check.check([tunnel("vxlan")]);
    expect(asked).toHaveLength(1);
    await check.check([tunnel("vxlan", 6)]);
    expect(asked).toHaveLength(2);
    await refusal(check, "gre");
    await expect(check.check([tunnel("gre")])).rejects.toThrow("gre is missing");
    const denied = new KindCheck(async () => ({ exitCode: 1, stderr: "RTNETLINK answers: Operation not permitted" }));
    await expect(denied.check([tunnel("gre")])).resolves.toBeUndefined();
  });
});
