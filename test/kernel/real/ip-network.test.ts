import { beforeAll, describe, expect, it } from "vitest";
import { ipNetwork } from "../../../src/daemon/ip-network.js";
import { inOwnNamespace, run } from "./namespace.js";

inOwnNamespace(import.meta.url, () => {
  beforeAll(async () => {
    for (const line of [
      "link add core type veth peer name far",
      "link set far up",
      "link set core mtu 1400 up",
      "link add dark type veth peer name darker",
      "link set dark up",
      "addr add 10.2.0.1/30 dev core",
      "addr add fd02::1/64 dev core nodad",
      "addr add 10.5.0.1/24 dev dark",
      "route add 10.3.0.0/24 via 10.2.0.2",
      "-6 route add fd03::/64 via fd02::2",
      "route add unreachable 10.9.0.0/24",
    ]) {
      await run("ip", ...line.split(" "));
    }
  });

  describe("the network as `ip` tells it", () => {
    it("has the interfaces that carry packets, without link-local addresses", async () => {
      const found = await ipNetwork.interfaces();
      const core = found.find(({ name }) => name === "core");
      expect(core).toMatchObject({ mtu: 1400, addresses: ["10.2.0.1", "fd02::1"] });
      expect(core?.index).toBe(Number(await run("cat", "/sys/class/net/core/ifindex")));
      // Its peer is down: there is no carrier.
      expect(found.map(({ name }) => name)).not.toContain("dark");
    });

    it("has a way to each destination of both families, and none to those without", async () => {
      const routes = await ipNetwork.routes([
        "10.3.0.1",
        "10.9.0.1",
        "240.0.0.1",
        "fd03::1",
        "10.2.0.1",
        "fd02::1",
        "fd09::1",
      ]);
      expect([...routes]).toEqual([
        ["10.3.0.1", { kind: "interface", name: "core" }],
        ["fd03::1", { kind: "interface", name: "core" }],
        ["10.2.0.1", { kind: "local" }],
        ["fd02::1", { kind: "local" }],
      ]);
      expect(await ipNetwork.routes(["10.9.0.1"])).toEqual(new Map());
      expect(await ipNetwork.routes([])).toEqual(new Map());
    });
  });
});
