/** What doctor says of RSVP on a real kernel: sockets that are really opened, interfaces and rules that are really there. */
import { beforeAll, describe, expect, it } from "vitest";
import type { RouterConfig } from "../../../src/config/router.js";
import { examineRsvp } from "../../../src/daemon/rsvp-preflight.js";
import type { Finding } from "../../../src/kernel/preflight/finding.js";
import { openLinuxMachine } from "../../../src/kernel/preflight/linux-machine.js";
import { bitsPerSecond, octets, seconds } from "../../../src/model/units.js";
import { probeTransports } from "../../../src/rsvp/endpoint/open-transport.js";
import { inOwnNamespace, run } from "./namespace.js";

const config = {
  rsvp: {
    transport: "raw",
    refresh: seconds(30),
    address: "10.2.0.1",
    interfaces: [{ name: "core", room: bitsPerSecond(6e6) }],
    keys: [],
    ceiling: bitsPerSecond(10e9),
    aggregates: [],
  },
  kernel: {
    table: "sluice",
    interfaces: [{ name: "core", rate: bitsPerSecond(10e6), signalling: bitsPerSecond(1e6), overhead: octets(0) }],
  },
} as unknown as RouterConfig;

/** By id; what is well is left out. */
async function troubles(): Promise<Readonly<Record<string, Finding>>> {
  const machine = openLinuxMachine({ toolTimeoutMs: 10_000 });
  const found = await examineRsvp(config, { machine, probe: probeTransports });
  expect(found.length).toBeGreaterThanOrEqual(5);
  return Object.fromEntries(found.filter(({ severity }) => severity !== "ok").map((each) => [each.id, each]));
}

const remedy = async (id: string): Promise<string> => (await troubles())[id]?.remedy ?? "";
const shell = (command: string): Promise<string> => run("sh", "-ec", command);

inOwnNamespace(import.meta.url, () => {
  beforeAll(async () => {
    await shell(`
      ip link add core type veth peer name far
      ip link set far up; ip link set core up
      ip address add 10.2.0.1/30 dev core`);
  });

  describe("RSVP of a router", () => {
    it("is well", async () => {
      expect(await troubles()).toEqual({});
    });

    it("whose interface is down gets the command that mends it", async () => {
      await shell("ip link set dev core down");
      await shell(await remedy("rsvp.interface"));
      expect(await troubles()).toEqual({});
    });

    it("whose address went", async () => {
      await shell("ip address del 10.2.0.1/30 dev core");
      expect(Object.keys(await troubles()).sort()).toEqual(["rsvp.address", "rsvp.interface"]);
      await shell("ip address add 10.2.0.1/30 dev core");
    });

    it.each([
      ["a policy", "add chain ip fw in { type filter hook input priority 0 ; policy drop ; }"],
      [
        "a rule",
        "add chain ip fw in { type filter hook input priority 0 ; } ; add rule ip fw in meta l4proto rsvp drop",
      ],
    ])("whose messages are dropped by %s of a firewall gets the command that mends it", async (_, rules) => {
      await run("nft", `add table ip fw ; ${rules}`);
      await shell(await remedy("rsvp.filtered"));
      expect(await troubles()).toEqual({});
      await run("nft", "delete table ip fw");
    });

    it("whose messages are dropped by iptables", async () => {
      await shell("iptables-nft -P OUTPUT DROP && iptables-nft -A OUTPUT -p tcp --dport 22 -j ACCEPT");
      expect((await troubles())["rsvp.filtered"]?.what).toMatch(/ip filter OUTPUT/);
      await shell("iptables-nft -A OUTPUT -p 46 -j ACCEPT");
      expect(await troubles()).toEqual({});
    });
  });
});
