/**
 * Every kind of tunnel between two edges, on the kernel that is here: what the kernel has carries packets of both families, what it
 * lacks is refused.
 */
import { beforeAll, describe, expect, it } from "vitest";
import { probeTunnelKinds } from "../../../src/kernel/link/kinds.js";
import { Tunnels } from "../../../src/kernel/link/tunnels.js";
import { TUNNEL_KINDS, type TunnelKind } from "../../../src/model/tunnel.js";
import { inOwnNamespace, run } from "./namespace.js";
import { buildEdges, carried, endGoneInFar, endInFar, TABLE, toldMtu, tunnelOfKind } from "./tunnel-path.js";

inOwnNamespace(import.meta.url, () => {
  const tunnels = new Tunnels(TABLE);
  const kinds: Record<4 | 6, readonly TunnelKind[]> = { 4: [], 6: [] };

  const state = async (): Promise<string> =>
    [
      await run("ip", "-br", "link"),
      await run("ip", "rule"),
      await run("ip", "-6", "rule"),
      await run("ip", "-4", "route", "show", "table", "all"),
      await run("ip", "-6", "route", "show", "table", "all", "proto", "83"),
      // Without IP in UDP in the kernel there is nothing to be listed.
      await run("sh", "-c", "ip fou show 2>&1 || true"),
    ].join("\n");

  beforeAll(async () => {
    await buildEdges();
    for (const outer of [4, 6] as const) kinds[outer] = await probeTunnelKinds(outer);
  });

  describe("a tunnel between two edges", () => {
    it.each(TUNNEL_KINDS.flatMap((kind) => ([4, 6] as const).map((outer) => [kind, outer] as const)))(
      "of %s over IPv%i carries both families untouched and tells who sends too much, or is refused where the kernel lacks it",
      async (kind, outer) => {
        const tunnel = tunnelOfKind(kind, outer);
        if (!kinds[outer].includes(kind)) {
          const before = await state();
          const message = expect.stringContaining(`the kinds that are there: ${kinds[outer].join(", ")}`);
          await expect(tunnels.set([tunnel])).rejects.toMatchObject({ code: "KERNEL_UNSUPPORTED", message });
          expect(await state()).toBe(before);
          return;
        }
        // What the modules of a kind bring along stays.
        await tunnels.set([tunnel]);
        await tunnels.removeAll();
        const before = await state();
        await tunnels.set([tunnel]);
        expect((await tunnels.read()).whole).toEqual(new Map([[tunnel.id, tunnel]]));
        await endInFar(tunnel);
        const [found, told] = await carried(tunnel, outer)
          .then(async (packets) => [packets, await toldMtu(tunnel)] as const)
          .finally(() => endGoneInFar(tunnel));
        const { sent, expectedOverhead } = found;
        expect(found).toMatchObject({ untouched: true, inner: sent, plain: { packets: 0 } });
        expect(found.outer).toEqual({ packets: sent.packets, octets: sent.octets + expectedOverhead });
        expect([found.classed, found.intact]).toEqual([sent.packets, sent.packets]);
        expect(told).toEqual({ 4: tunnel.mtu, 6: tunnel.mtu });
        await tunnels.removeAll();
        expect(await state()).toBe(before);
      },
    );

    it("needs VXLAN at least: this kernel is one on which tunnels are tried", () => {
      expect(kinds[4]).toContain("vxlan");
      expect(kinds[6]).toContain("vxlan");
    });
  });
});
